/** Everything between a caller who was let in and a signature, put together. */

import { randomBytes, randomUUID } from "node:crypto";
import type { Caller } from "../../core/identity/caller.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { LogStore } from "../../edge/log/log-store.ts";
import {
  assertCallerNotDenied,
  type AdmissionDependencies,
  type AssertAdmitted,
} from "./admission.ts";
import { IssuanceQueue } from "./issuance-queue.ts";
import { Issuer } from "./issuer.ts";
import { Ledger, type LedgerWatch } from "./log/ledger.ts";
import type { LogTime } from "./log/log-time.ts";
import { prepareServing, servingIntent, type IssueServing } from "./serving-certificate.ts";
import type { SigningPool } from "./signing/signing-pool.ts";
import type { SigningTurns } from "./signing/signing-turns.ts";
import { signerUnavailable } from "./signing/signing-thread.ts";
import type { Trust } from "./trust.ts";

export interface IssuanceOptions {
  readonly trust: () => Trust;
  readonly signing: SigningPool;
  readonly turns: SigningTurns;
  readonly transparency: LogStore;
  readonly watch: LedgerWatch;
  readonly time: LogTime;
  readonly limits: () => ServerConfig["limits"];
  readonly refreshKeys: () => Promise<unknown>;
  /** @throws while it is not known what a restored log has lost, or whether the trust state is current */
  readonly assertMaySign: () => void;
  /** The second of the two: without a certificate of its own, a restored server would never learn the first. @throws likewise */
  readonly assertTrustCurrent: () => void;
  readonly assertAdmitted: AssertAdmitted;
  readonly assertNotDenied: AdmissionDependencies["assertNotDenied"];
  /** @throws AuthnError, CaCallError for a caller of a cluster who is there no more */
  readonly assertNotGone: (caller: Caller) => void;
  readonly onUnfit: (identity: string, error: unknown, tbs: Uint8Array) => void;
  readonly nowMs: () => number;
}

export interface Issuance {
  readonly ledger: Ledger;
  readonly queue: IssuanceQueue;
  readonly issueServing: IssueServing;
}

export function buildIssuance(options: IssuanceOptions): Issuance {
  const { trust, signing, turns, transparency, watch, time, limits, nowMs } = options;
  const { refreshKeys, assertMaySign, assertTrustCurrent, assertAdmitted, onUnfit } = options;
  const ledger = new Ledger({ writer: transparency.writer, time, watch });
  const issuer = new Issuer({
    authority: () => trust().authority,
    prepare: (orders, now) => signing.prepare(orders, now),
    sign: (prepared) => signing.sign(prepared),
    ledger,
    assertNotDenied: (caller) => assertCallerNotDenied(options.assertNotDenied, caller),
    assertNotGone: options.assertNotGone,
    onUnfit,
    randomSerial: randomSerials(),
  });
  const queue = new IssuanceQueue(
    {
      refreshKeys,
      assertReady: () => {
        if (!signing.isAvailable) throw signerUnavailable();
        const { isDead, failure } = transparency.writer.state;
        if (isDead && failure !== undefined) throw failure;
        time.assertGood();
        assertMaySign();
      },
      assertAdmitted,
      held: (identity) => transparency.reader.certificates.newest(identity),
      issue: (orders, now) =>
        turns.shared(async () => {
          // Again: they have waited since they were let in.
          assertMaySign();
          return await issuer.issue(orders, now);
        }),
      nowMs,
    },
    () => ({ callsInFlightMax: limits().callsInFlight, queueMax: limits().queueLength }),
  );
  const issueServing: IssueServing = (names, uri) =>
    turns.shared(async () => {
      assertTrustCurrent();
      const { authority, bundle } = trust();
      const draft = prepareServing(authority, bundle.roots, names, nowMs(), uri, onUnfit);
      const intent = servingIntent(draft, authority, names, uri, randomUUID());
      const [outcome] = await ledger.record([intent], () => signing.sign([draft.prepared]));
      if (outcome?.kind !== "issued") throw outcome?.error;
      return draft.finish(outcome.certificate.der);
    });
  return { ledger, queue, issueServing };
}

/** 128 random bits each; drawn for many at a time, because each draw is a call into OpenSSL. */
function randomSerials(): () => Uint8Array {
  const bytesEach = 16;
  let pool = new Uint8Array();
  return () => {
    if (pool.length === 0) pool = randomBytes(256 * bytesEach);
    const serial = pool.subarray(0, bytesEach);
    pool = pool.subarray(bytesEach);
    return serial;
  };
}
