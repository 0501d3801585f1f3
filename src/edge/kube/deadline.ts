/** A limit of time around what is asked of the API server, and the other ends that it may have. */

import { KubeError } from "./kube-error.ts";

/**
 * @param what in the error's words
 * @param ends by whose signals it ends, too
 * @throws KubeError `kube-unreachable` after the time; the reason of the signal that ended it; what `run` throws
 */
export async function within<T>(
  what: string,
  ms: number,
  ends: readonly (AbortSignal | undefined)[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const whole = new AbortController();
  const timer = setTimeout(() => whole.abort(late(what, ms)), ms);
  // By hand: with `AbortSignal.any` a signal that lives long has something of each request, until the collector has come.
  const stops = ends.map((end) => follow(end, whole));
  try {
    whole.signal.throwIfAborted();
    return await run(whole.signal);
  } finally {
    clearTimeout(timer);
    for (const stop of stops) stop();
  }
}

function follow(signal: AbortSignal | undefined, whole: AbortController): () => void {
  const onAbort = (): void => whole.abort(signal?.reason);
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  return () => signal?.removeEventListener("abort", onAbort);
}

function late(what: string, ms: number): KubeError {
  return new KubeError("kube-unreachable", `${what}: expected an answer in ${ms} ms, got none`);
}
