/** The certificate to try listeners with: one for all Envoys of an agent, used for most of its life, and asked for at a pace. */

import { createCsr } from "../../../core/x509/csr-create.ts";
import { encodePem, parseSinglePem } from "../../../core/x509/pem.ts";
import { canaryProfile } from "../../../core/x509/profile.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import type { CanaryIdentity } from "../../../edge/rpc/canary-handshake.ts";

/** @returns PEM: the leaf, then each intermediate */
export type SignCanary = (csrPem: string, rootSha256: string) => Promise<readonly string[]>;

interface Held {
  readonly rootSha256: string;
  readonly identity: CanaryIdentity;
  readonly untilMs: number;
}

export class CanaryCredential {
  readonly #nowMs: () => number;
  #held: Held | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @throws what `sign` throws; CertificateError, PemError for an answer that is none */
  async obtain(rootSha256: string, sign: SignCanary): Promise<CanaryIdentity> {
    const held = this.#held;
    if (held?.rootSha256 === rootSha256 && this.#nowMs() < held.untilMs) return held.identity;
    const askedMs = this.#nowMs();
    const { csrPem, privateKeyPkcs8 } = await createCsr();
    const chain = await sign(csrPem, rootSha256);
    const { notBeforeMs, notAfterMs } = parseCertificate(
      parseSinglePem(chain[0] ?? "", "CERTIFICATE"),
    );
    // By the server's clock, which is not ours.
    const lifeMs = notAfterMs - notBeforeMs - canaryProfile.backdateSeconds * 1_000;
    const identity = {
      certificateChain: chain.join(""),
      privateKey: encodePem(privateKeyPkcs8, "PRIVATE KEY"),
    };
    this.#held = { rootSha256, identity, untilMs: askedMs + 0.8 * lifeMs };
    return identity;
  }

  /** Of another root nothing is needed any more. */
  forget(): void {
    this.#held = undefined;
  }
}
