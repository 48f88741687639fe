// Prints `N passed, N failed, N skipped` alone on the last line of a run, for scripts to read.
// A file that could not be loaded and an error outside of any test each count as one failed test.
import type { Reporter, TestModule } from 'vitest/node'

export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errorsOutside: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
    const count = (state: string) => states.filter((each) => each === state).length
    const brokenModules = modules.filter((module) => module.state() === 'failed' && !hasFailedTest(module)).length
    const failed = count('failed') + brokenModules + errorsOutside.length
    const line = `${count('passed')} passed, ${failed} failed, ${count('skipped') + count('pending')} skipped`
    // At exit, because other reporters and the teardown of servers print after this.
    process.once('exit', () => console.log(line))
  }
}

function hasFailedTest(module: TestModule): boolean {
  return [...module.children.allTests('failed')].length > 0
}
