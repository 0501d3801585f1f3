/**
 * The demo's own mTLS connections to the server's Envoy. Unlike the client's Envoy it can say which
 * certificate the handshake presented, and so when a new one was first used.
 */

import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import { createCsr } from "../../core/x509/csr-create.ts";
import { encodePem } from "../../core/x509/pem.ts";
import { readBoundedFile } from "../../edge/config/private-files.ts";
import { requestCertificate } from "../../edge/rpc/ca-client.ts";
import { checkReply } from "../agent/certificate-reply.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { Fact } from "./fact.ts";
import type { RequestFailure } from "./traffic.ts";
import { demoTrustDomain } from "./workload.ts";

export interface ProbeOptions {
  readonly identity: ProbeIdentity;
  readonly port: number;
  readonly serverId: SpiffeId;
  readonly timeoutMs: number;
  readonly leafMs: number;
  readonly nowMs: () => number;
  readonly onFact: (fact: Fact) => void;
}

/** PEM. */
export interface ProbeIdentity {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** The probe is no workload of the story: its certificate outlives the demo, unrenewed. */
const certificateTtlSeconds = 600;

export async function fetchProbeIdentity(
  controlPlane: ControlPlane,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<ProbeIdentity> {
  const csr = await createCsr();
  const serverRoots = await readBoundedFile(controlPlane.rootFile, 1_048_576);
  const certChain = await requestCertificate(
    {
      server: controlPlane.address,
      serverRoots,
      token: await controlPlane.mintToken("probe"),
      csrPem: csr.csrPem,
      ttlSeconds: certificateTtlSeconds,
      timeoutMs: 5_000,
    },
    signal,
  );
  const { certificate, bundle } = checkReply(certChain, csr, demoTrustDomain, nowMs());
  const pem = (der: Uint8Array): string => encodePem(der, "CERTIFICATE");
  return {
    cert: certificate.chain.map(pem).join(""),
    key: encodePem(certificate.privateKeyPkcs8, "PRIVATE KEY"),
    ca: bundle.roots.map(pem).join(""),
  };
}

/** Now and then, and densely when a renewal is due: that is how exact the answer is. */
const idlePauseMs = 100;
const densePauseMs = 10;
/** Renewal comes when at least this share of a leaf's life has gone. */
const renewalShareMin = 0.44;
const failuresMax = 100;

export class Probe {
  readonly #options: ProbeOptions;
  #newest: Handshake | undefined;
  readonly failures: RequestFailure[] = [];
  sent = 0;
  failed = 0;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** One connection after the other, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#connect();
      await sleep(this.#pauseMs(), undefined, { signal }).catch(() => {});
    }
  }

  async #connect(): Promise<void> {
    const { nowMs, onFact } = this.#options;
    const startedMs = nowMs();
    this.sent++;
    try {
      const handshake = await shakeHands(this.#options);
      if (handshake.serial === this.#newest?.serial) return;
      this.#newest = handshake;
      onFact({ kind: "presented", atMs: handshake.atMs, serial: handshake.serial });
    } catch (error) {
      this.failed++;
      if (this.failures.length < failuresMax) {
        this.failures.push({ atMs: startedMs, reason: `direct: ${String(error)}` });
      }
    }
  }

  #pauseMs(): number {
    const { nowMs, leafMs } = this.#options;
    const leftMs = (this.#newest?.notAfterMs ?? 0) - nowMs();
    return leftMs <= leafMs * (1 - renewalShareMin) ? densePauseMs : idlePauseMs;
  }
}

interface Handshake {
  readonly serial: string;
  readonly notAfterMs: number;
  /** When the client's side of it had ended. */
  readonly atMs: number;
}

/**
 * Counts only with the application's answer: in TLS 1.3 the server's verdict on the client's
 * certificate comes after the client's side has ended.
 */
async function shakeHands(options: ProbeOptions): Promise<Handshake> {
  const { identity, port, serverId, timeoutMs, nowMs } = options;
  return new Promise((resolve, reject) => {
    let handshake: Handshake | undefined;
    const outgoing = request({
      ...identity,
      host: "127.0.0.1",
      port,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
      // X509-SVID 5: the URI is the identity; there is no name of a host.
      checkServerIdentity: (_, { subjectaltname }) =>
        subjectaltname === `URI:${serverId.toString()}`
          ? undefined
          : new Error(`expected ${serverId.toString()}, got ${subjectaltname}`),
    });
    outgoing.on("socket", (socket) => {
      if (!(socket instanceof TLSSocket)) return;
      socket.once("secureConnect", () => {
        const { serialNumber = "", validTo = "" } = socket.getPeerX509Certificate() ?? {};
        const serial = serialNumber.toLowerCase();
        handshake = { serial, notAfterMs: Date.parse(validTo), atMs: nowMs() };
      });
    });
    outgoing.on("response", (response) => {
      response.resume().on("error", reject);
      response.on("end", () => {
        if (handshake !== undefined && response.statusCode === 200) resolve(handshake);
        else reject(new Error(`expected 200 over mTLS, got ${response.statusCode}`));
      });
    });
    outgoing.on("error", reject).end();
  });
}
