/**
 * The request for the next certificate, with what the agent has to prove itself. A certificate that the server renews no
 * more, or lets in no more, gives way to a join token, if there is a new one: else the agent would wait until it expires.
 */

import type { CertificateRequest } from "../../edge/rpc/ca-client.ts";
import { CaClientError } from "../../edge/rpc/ca-client-error.ts";
import { requestCertificate } from "../../edge/rpc/ca-client.ts";
import { readCredential, type Credential, type CredentialSource } from "./credential.ts";
import type { WorkloadSet } from "./workload-set.ts";

type Request = Omit<CertificateRequest, "token" | "identity">;

/** A server that goes away closes connections, too, and a join token is spent by one use: so once is no proof. */
const closedMax = 2;

export class CertificateRequester {
  readonly #source: CredentialSource;
  readonly #nowMs: () => number;
  /** Handshakes with our certificate that the server has ended, one after the other. */
  #closed = 0;

  constructor(source: CredentialSource, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
  }

  /**
   * @param held undefined where there is no certificate that is valid
   * @param isOrphan whether the operator has said that the server has another root now
   * @returns as `requestCertificate`. @throws CaClientError, and what `readCredential` throws
   */
  async request(
    request: Request,
    held: WorkloadSet | undefined,
    isOrphan: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const credential = await readCredential(this.#source, held, this.#nowMs());
    try {
      const reply = await requestCertificate({ ...request, ...credential }, signal);
      this.#closed = 0;
      return reply;
    } catch (error) {
      if (held === undefined || credential.identity === undefined) throw error;
      if (!(error instanceof CaClientError)) throw error;
      if (!(await this.#isOver(error, isOrphan))) throw error;
      const fresh = await this.#readJoinToken();
      if (fresh === undefined) throw this.#withHint(error, error.code);
      try {
        return await requestCertificate({ ...request, ...fresh }, signal);
      } catch (again) {
        throw again instanceof CaClientError ? this.#withHint(again, error.code) : again;
      }
    }
  }

  /** Whether the server has no use for the certificate any more. */
  async #isOver(error: CaClientError, isOrphan: () => Promise<boolean>): Promise<boolean> {
    this.#closed = error.code === "ca-closed" ? this.#closed + 1 : 0;
    if (error.code === "ca-unauthenticated" || this.#closed >= closedMax) return true;
    return this.#closed > 0 && (await isOrphan());
  }

  async #readJoinToken(): Promise<Credential | undefined> {
    return readCredential(this.#source, undefined, this.#nowMs()).catch(() => undefined);
  }

  /** @param why the certificate did not do */
  #withHint(error: CaClientError, why: CaClientError["code"]): CaClientError {
    if (this.#source.kind !== "join-token") return error;
    const cause =
      why === "ca-closed"
        ? "the server does not let our certificate in: was its root replaced?"
        : "is certificates.renewByCertificate on at the server, and did we join less than 7 days ago?";
    const hint = `${cause} if not to be mended there, put a new join token into ${this.#source.file}`;
    return new CaClientError(error.code, error.message, { cause: error, hint });
  }
}
