/** The end of a process one of whose threads is stuck in a native call, which nobody can interrupt. */

/** Instead of Node's exit, which joins all threads: a signal's own way is shorter. What is to be said was said before. */
export function endWithoutThreads(): void {
  process.once("exit", () => {
    process.removeAllListeners("SIGTERM");
    process.kill(process.pid, "SIGTERM");
    // Linux keeps such a signal from process 1 of a container, but not a fault.
    process.abort();
  });
}
