// Prints `N passed, N failed, N skipped` alone on the last line of a run, for scripts to read.
// A file that could not be loaded and an error outside of any test each count as one failed test.
import type { Reporter, TestModule } from 'vitest/node'

export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errorsOutside: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
    const count = (state: string) => states.filter((each) => each === state).length
    const brokenModules = modules.filter((module) => module.state() === 'failed' && !hasFailedTest(module)).length
    const failed = count('failed') + brokenModules + errorsOutside.length
    const skipped = count('skipped') + count('pending')
    // At exit, because other reporters and the teardown of servers print after this. A run that fails without a failed
    // test, because its servers did not start, counts as one.
    process.once('exit', (code) => {
      console.log(`${count('passed')} passed, ${failed || Number(code !== 0)} failed, ${skipped} skipped`)
    })
  }
}

function hasFailedTest(module: TestModule): boolean {
  return [...module.children.allTests('failed')].length > 0
}
