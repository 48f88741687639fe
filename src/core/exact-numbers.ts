/** Tells whether a number of JSON text is kept to its last digit by a double, which is what every handler gets. */

/**
 * Compares a number as it was written with the double that it was read as.
 * @param source the number as JSON text
 * @returns what is wrong, or undefined when both are the same number
 */
export function inexactnessOf(source: string, value: number): string | undefined {
  if (!Number.isFinite(value)) return 'is a number too large to keep: send it as a string'
  if (Object.is(value, -0)) return 'is -0, which JSON loses: send 0, or send it as a string'
  const isExact = value === 0 ? !/^[^eE]*[1-9]/.test(source) : decimalOf(source) === decimalOf(String(value))
  return isExact ? undefined : 'is a number that would lose digits: send it as a string'
}

/** Writes a decimal number other than 0 in one way: sign, digits without zeros at either end, exponent. */
function decimalOf(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const kept = digits.replace(/0+$/, '')
  const shift = Number(exponent) - fraction.length + digits.length - kept.length
  return `${sign}${kept}e${shift}`
}
