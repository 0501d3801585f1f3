/** Why a signing thread is of no use any more, where its signer has said nothing. */

import { PortcullisError } from "../../../core/error.ts";

export type SigningThreadErrorCode = "signing-thread-exited" | "signing-thread-silent";

export class SigningThreadError extends PortcullisError<SigningThreadErrorCode> {
  override name = "SigningThreadError";

  static silent(answerMs: number): SigningThreadError {
    const reason = `no answer within ${answerMs} ms`;
    const hint = "is the HSM reachable? if its call never returns, restart the server";
    return new SigningThreadError("signing-thread-silent", reason, { hint });
  }

  static exited(code: number): SigningThreadError {
    return new SigningThreadError("signing-thread-exited", `the thread has exited with ${code}`);
  }
}
