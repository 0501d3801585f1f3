/**
 * The first half of an issuance: from what was asked for to bytes that may be signed, encoded by the writer and held by
 * the reader against every lint and against what was meant. Nothing is signed here. What comes out is plain data, so that
 * it can be logged, and signed in another thread.
 */

import { hash } from "node:crypto";
import type { SubjectAltNames } from "../x509/leaf-template.ts";
import { lintLeaf } from "../x509/lint/leaf.ts";
import type { LeafContext, LintSubject } from "../x509/lint/lint.ts";
import type { Rule } from "../x509/lint/reader.ts";
import {
  canaryProfile,
  servingProfile,
  workloadProfile,
  type LeafProfile,
} from "../x509/profile.ts";
import type { PublicKey } from "../x509/public-key.ts";
import type { Authority } from "./authority.ts";
import { intentChecks, serialMagnitude, type LeafIntent } from "./intent-checks.ts";
import { IssuanceError } from "./issuance-error.ts";
import { begin, runStep, type Step } from "./steps.ts";
import { decideValidity, resolveTtlSeconds, type TtlPolicy } from "./validity.ts";

export interface LeafOrder {
  readonly profile: LeafProfile["name"];
  readonly names: SubjectAltNames;
  /** Whose private half the one who asks has proven to hold. */
  readonly publicKey: PublicKey;
  /** 0 or less asks for the default. */
  readonly requestedTtlSeconds: bigint;
  /** 16 random octets. */
  readonly serial: Uint8Array;
  /** The certificate ends then at the latest, whatever was asked for. */
  readonly notAfterMaxMs?: number;
}

export interface PreparedLeaf {
  /** What is to be signed, to the octet (RFC 5280 4.1.2). */
  readonly tbs: Uint8Array;
  /** SHA-256 of `tbs`. */
  readonly tbsDigest: Uint8Array;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyDigest: Uint8Array;
  /** Magnitude, without a leading zero octet. */
  readonly serial: Uint8Array;
  /** Whole seconds. */
  readonly notBeforeMs: number;
  /** Whole seconds. */
  readonly notAfterMs: number;
}

export type PrepareOutcome =
  | ({ readonly kind: "prepared" } & PreparedLeaf)
  | {
      readonly kind: "refused";
      /** IssuanceError; of workloads also CsrError, PemError, DerError, PublicKeyError. */
      readonly error: unknown;
      /** What would have been signed, if it got that far: a fault of ours, to be kept. */
      readonly unfit?: Uint8Array;
    };

/** One outcome for each order, in their order. */
export function prepareLeaves(
  orders: readonly LeafOrder[],
  authority: Authority,
  policy: TtlPolicy,
  nowMs: number,
): readonly PrepareOutcome[] {
  return prepareSteps(begin(orders), authority, policy, nowMs);
}

/** For orders that have come a part of the way, or have ended on it. */
export function prepareSteps(
  orders: readonly Step<LeafOrder>[],
  authority: Authority,
  policy: TtlPolicy,
  nowMs: number,
): readonly PrepareOutcome[] {
  const encoded = runStep(orders, (order) => encode(order, authority, policy, nowMs));
  const context = {
    issuer: authority.issuer,
    nowMs,
    lifetimeMaxSeconds: Math.max(policy.defaultTtlSeconds, policy.maxTtlSeconds),
  };
  const prepared = runStep(encoded, ({ tbs, intent }): PrepareOutcome => {
    const { keyDigest } = assertFit(tbs, intent, context);
    const tbsDigest = hash("sha256", tbs, "buffer");
    return {
      kind: "prepared",
      tbs,
      tbsDigest,
      keyDigest,
      serial: serialMagnitude(intent.serial),
      ...intent.validity,
    };
  });
  return prepared.map((step, index) => {
    if (step.kind === "done") return step.value;
    const before = encoded[index];
    const unfit = before?.kind === "done" ? before.value.tbs : undefined;
    return { kind: "refused", error: step.error, ...(unfit !== undefined && { unfit }) };
  });
}

/**
 * @returns what the reader made of the bytes
 * @throws IssuanceError `certificate-lint-failed`, naming the lint and its source
 */
export function assertFit(tbs: Uint8Array, intent: LeafIntent, context: LeafContext): LintSubject {
  const verdict = lintLeaf(tbs, intent.profile, context);
  if (verdict.kind === "failed") throw lintFailed(verdict.rule, verdict.cause);
  const { subject } = verdict;
  const broken = intentChecks.find((check) => !check.holds(subject.tbs, intent));
  if (broken !== undefined) throw lintFailed(broken);
  return subject;
}

interface Encoded {
  readonly tbs: Uint8Array;
  readonly intent: LeafIntent;
}

function encode(order: LeafOrder, authority: Authority, policy: TtlPolicy, nowMs: number): Encoded {
  const { profile, names, publicKey, serial, notAfterMaxMs = Infinity } = order;
  const endMs = Math.min(authority.notAfterMs, notAfterMaxMs);
  const validity = decideValidity(
    nowMs,
    resolveTtlSeconds(order.requestedTtlSeconds, policy),
    profiles[profile].backdateSeconds,
    // X.509 has whole seconds.
    Math.floor(endMs / 1_000) * 1_000,
  );
  const tbs = authority[encoders[profile]]({
    serial,
    publicKey,
    subjectAltNames: names,
    ...validity,
  });
  return { tbs, intent: { profile, names, spki: publicKey.spki, validity, serial } };
}

const profiles: Readonly<Record<LeafProfile["name"], LeafProfile>> = {
  workload: workloadProfile,
  serving: servingProfile,
  canary: canaryProfile,
};

const encoders = {
  workload: "encodeWorkload",
  serving: "encodeServing",
  canary: "encodeCanary",
} as const;

function lintFailed({ name, source }: Rule, cause?: unknown): IssuanceError {
  const message = `the certificate to be signed fails ${name} (${source})`;
  return new IssuanceError("certificate-lint-failed", message, {
    cause,
    hint: "this is a fault of the CA, not of the caller: keep its log and report it",
  });
}
