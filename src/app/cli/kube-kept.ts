/** What a server keeps in its cluster: the roots for those who mount them, its own trust, and the webhook. For programs and for people. */

import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  BundleMaps,
  GuardStatus,
  KubeStatus,
  TrustSecretStatus,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { formatRelative, formatSpan, formatTimestamp } from "./format.ts";

/** Times are RFC 3339, or empty. */
export type KubeKeptValue = {
  readonly bundleMaps: BundleMapsValue | null;
  readonly trustSecret: TrustSecretValue | null;
  readonly guard: GuardValue | null;
};

type BundleMapsValue = {
  /** Of each of the ConfigMaps. */
  readonly name: string;
  /** Namespaces. */
  readonly total: number;
  readonly current: number;
  /** Some of the others. */
  readonly behind: readonly string[];
  readonly failing: readonly BundleMapFailureValue[];
  readonly contested: number;
  readonly contestedBy: string;
};

type BundleMapFailureValue = {
  readonly namespace: string;
  readonly detail: string;
  /** In how long it is tried again; null where the server does not say. */
  readonly retryMs: number | null;
};

type TrustSecretValue = {
  /** NAMESPACE/NAME */
  readonly name: string;
  readonly behindSince: string;
  readonly takenOverAt: string;
  readonly problem: string;
  /** What to do about it. */
  readonly hint: string;
  readonly leaseHolder: string;
  readonly leaseHeld: boolean;
  readonly leaseUntil: string;
};

type GuardValue = {
  readonly mode: string;
  /** `current`, `behind` or `missing`. */
  readonly caBundle: string;
  readonly certificateNotAfter: string;
};

export function kubeKeptValue(
  status: Pick<KubeStatus, "bundleMaps" | "trustSecret" | "guard">,
): KubeKeptValue {
  const { bundleMaps, trustSecret, guard } = status;
  return {
    bundleMaps: bundleMaps === undefined ? null : bundleMapsValue(bundleMaps),
    trustSecret: trustSecret === undefined ? null : trustSecretValue(trustSecret),
    guard: guard === undefined ? null : guardValue(guard),
  };
}

function bundleMapsValue(maps: BundleMaps): BundleMapsValue {
  const { name, total, current, behind, failing, contested, contestedBy } = maps;
  return {
    name,
    total: Number(total),
    current: Number(current),
    behind,
    failing: failing.map(({ namespace, detail, retryMs }) => {
      return { namespace, detail, retryMs: retryMs === undefined ? null : Number(retryMs) };
    }),
    contested: Number(contested),
    contestedBy,
  };
}

function trustSecretValue(secret: TrustSecretStatus): TrustSecretValue {
  const { name, problem, hint, leaseHolder, leaseHeld } = secret;
  const behindSince = text(secret.behindSince);
  const takenOverAt = text(secret.takenOverAt);
  const leaseUntil = text(secret.leaseUntil);
  return { name, behindSince, takenOverAt, problem, hint, leaseHolder, leaseHeld, leaseUntil };
}

function guardValue({ mode, caBundle, certificateNotAfter }: GuardStatus): GuardValue {
  return { mode, caBundle, certificateNotAfter: text(certificateNotAfter) };
}

function text(time: Timestamp | undefined): string {
  return time === undefined ? "" : formatTimestamp(timestampMs(time));
}

/** A line of what there is. */
export interface KeptLine {
  readonly text: string;
  readonly isWell: boolean;
  /** What to do; "" where nothing is known. */
  readonly hint?: string;
}

/** One or some for each. @param nowMs the server's clock, Unix */
export function kubeKeptLines(value: KubeKeptValue, nowMs: number): readonly KeptLine[] {
  const { bundleMaps, trustSecret, guard } = value;
  return [
    ...(bundleMaps === null ? [] : bundleMapsLines(bundleMaps)),
    ...(trustSecret === null ? [] : [trustSecretLine(trustSecret, nowMs)]),
    ...(guard === null ? [] : [guardLine(guard, nowMs)]),
  ];
}

function bundleMapsLines(maps: BundleMapsValue): readonly KeptLine[] {
  const { name, total, current, behind, failing, contested, contestedBy } = maps;
  const more = total - current - behind.length;
  const names = [...behind, ...(more > 0 ? [`${more} more`] : [])].join(", ");
  const lacking = names === "" ? "" : `; behind: ${names}`;
  const by = contestedBy === "" ? "somebody else" : contestedBy;
  return [
    {
      text: `roots in ConfigMap ${name} of ${current} of ${total} namespaces${lacking}`,
      isWell: current === total,
    },
    ...failing.map(({ namespace, detail, retryMs }) => {
      const next = retryMs === null ? "" : `; next try in ${formatSpan(roundedUp(retryMs))}`;
      return { text: `namespace ${namespace} cannot have it: ${detail}${next}`, isWell: false };
    }),
    ...(contested === 0
      ? []
      : [{ text: `${by} writes it, too, in ${contested} namespaces`, isWell: false }]),
  ];
}

/** To whole seconds. */
function roundedUp(ms: number): number {
  return Math.ceil(ms / 1_000) * 1_000;
}

function trustSecretLine(secret: TrustSecretValue, nowMs: number): KeptLine {
  const { name, behindSince, takenOverAt, problem, hint } = secret;
  const { leaseHolder, leaseHeld, leaseUntil } = secret;
  const when = (time: string): string => formatRelative(Date.parse(time), nowMs);
  const who = leaseHeld ? "this server has its Lease" : `${leaseHolder || "nobody"} has its Lease`;
  const ends = leaseHeld || leaseUntil === "" ? "" : ` (ends ${when(leaseUntil)})`;
  const behind =
    behindSince === "" ? [] : [`behind for ${formatSpan(nowMs - Date.parse(behindSince))}`];
  const said = [
    ...(behindSince === "" && problem === "" ? ["in step"] : behind),
    ...(takenOverAt === "" ? [] : [`taken over ${when(takenOverAt)}`]),
    ...(problem === "" ? [] : [problem]),
    who + ends,
  ];
  const isWell = behindSince === "" && problem === "" && leaseHeld;
  return { text: `trust in Secret ${name}: ${said.join("; ")}`, isWell, hint };
}

/** It is renewed long before. */
const endingMs = 3_600_000;

function guardLine({ mode, caBundle, certificateNotAfter }: GuardValue, nowMs: number): KeptLine {
  const endMs = Date.parse(certificateNotAfter);
  const roots = rootsOfGuard.get(caBundle) ?? caBundle;
  const ends = `its certificate expires ${formatRelative(endMs, nowMs)}`;
  const isWell = caBundle === "current" && endMs - nowMs > endingMs;
  return { text: `guard: ${mode}; ${roots}; ${ends}`, isWell };
}

const rootsOfGuard: ReadonlyMap<string, string> = new Map([
  ["current", "the API server has its roots"],
  ["behind", "the API server has not its roots (caBundle)"],
  ["missing", "no API server asks: there is no ValidatingWebhookConfiguration portcullis-guard"],
]);
