/**
 * At the start: that the operator's key can be used. An HSM that hangs must hold neither the process nor the signal that
 * ends it, so it is asked in a thread, with a bound, and the log says what is waited for.
 */

import { PortcullisError } from "../../../core/error.ts";
import { unlessAborted } from "../../../core/unless-aborted.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import { endWithoutThreads } from "./end-without-threads.ts";
import { holdLibrary, proveSigner } from "./open-signer.ts";
import type { AuthorityParts } from "./signing-protocol.ts";
import { SigningThreads, signingTimes } from "./signing-threads.ts";

export interface StartOptions {
  readonly log: Logger;
  /** Aborted when the server is told to end. */
  readonly signal: AbortSignal;
}

export class StartError extends PortcullisError<"start-interrupted"> {
  override name = "StartError";
}

const sayAfterMs = 3_000;

/** @throws SignerError, Pkcs11Error, SigningThreadError, StartError */
export async function proveAtStart(parts: AuthorityParts, options: StartOptions): Promise<void> {
  const { log, signal } = options;
  if (parts.source.kind === "software") return await proveSigner(parts);
  await holdLibrary(parts);
  await using threads = new SigningThreads({
    parts: () => parts,
    times: signingTimes,
    onFailed: () => {},
    onRecovered: () => {},
    onStuck: () => sayStuck(log),
  });
  const say = (): void => {
    const hint = `is it reachable? it has ${signingTimes.answerMs / 1_000} s`;
    log.warn({ event: "signing-waiting", hint }, "waiting for the HSM that has the CA's key");
  };
  const timer = setTimeout(say, sayAfterMs).unref();
  try {
    await unlessInterrupted(signal, threads.prove(parts));
  } finally {
    clearTimeout(timer);
  }
}

/** What it was told last: the process ends although a thread is held. */
export function sayStuck(log: Logger): void {
  log.warn({ event: "signing-stuck" }, "an HSM still holds its thread: ending without it");
  endWithoutThreads();
}

/** @throws StartError, as soon as the server is told to end; what the work throws */
export async function unlessInterrupted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return await unlessAborted(work, signal, () => {
    return new StartError("start-interrupted", "told to end before it was ready");
  });
}
