/** The cluster that a server is in: how its watches do, and so how tokens are checked, and what it keeps there. For programs and for people. */

import type { KubeStatus, KubeWatch } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { formatSpan } from "./format.ts";
import { kubeKeptLines, kubeKeptValue, type KubeKeptValue } from "./kube-kept.ts";
import { printable } from "./text.ts";
import { formatTable, type Cell } from "./table.ts";

export type KubeStatusValue = KubeKeptValue & {
  /** URL of its API server. */
  readonly server: string;
  readonly namespace: string;
  readonly issuer: string;
  /** Now, and as it is set. */
  readonly tokenCheck: string;
  readonly tokenCheckConfigured: string;
  /** Why watches that are silent cannot be proven current, and what to do; empty while they can. */
  readonly livenessProblem: string;
  readonly livenessHint: string;
  readonly watches: readonly KubeWatchValue[];
};

export type KubeWatchValue = {
  readonly resource: string;
  readonly objects: number;
  /** How far behind it is at most; null: it has never been filled. */
  readonly staleMs: number | null;
  readonly absent: boolean;
  readonly unreadable: number;
  /** A code; empty while all is well. */
  readonly failure: string;
  readonly detail: string;
  readonly hint: string;
};

export function kubeStatusValue(status: KubeStatus): KubeStatusValue {
  const { server, namespace, issuer, tokenCheck, tokenCheckConfigured } = status;
  const { livenessProblem, livenessHint } = status;
  const head = { server, namespace, issuer, tokenCheck, tokenCheckConfigured };
  const watches = status.watches.map((watch) => watchValue(watch));
  return { ...head, livenessProblem, livenessHint, watches, ...kubeKeptValue(status) };
}

function watchValue(watch: KubeWatch): KubeWatchValue {
  const { resource, objects, staleMs, absent, unreadable, failure, detail, hint } = watch;
  return {
    resource,
    objects: Number(objects),
    staleMs: staleMs === undefined ? null : Number(staleMs),
    absent,
    unreadable: Number(unreadable),
    failure,
    detail,
    hint,
  };
}

/** @param nowMs the server's clock, Unix */
export function isKubeWell(value: KubeStatusValue, nowMs: number): boolean {
  const { tokenCheck, tokenCheckConfigured, livenessProblem, watches } = value;
  return (
    tokenCheck === tokenCheckConfigured &&
    livenessProblem === "" &&
    watches.every((watch) => troubleOf(watch) === "") &&
    kubeKeptLines(value, nowMs).every(({ isWell }) => isWell)
  );
}

const checks: ReadonlyMap<string, string> = new Map([
  ["watched", "by watches"],
  ["review", "by asking the API server"],
  ["review-always", "by asking the API server each time"],
]);

/** @param nowMs the server's clock, Unix */
export function kubeStatusText(value: KubeStatusValue, nowMs: number, colour: boolean): string {
  const { server, namespace, tokenCheck, tokenCheckConfigured, watches } = value;
  const [by, wanted] = [tokenCheck, tokenCheckConfigured].map((each) => checks.get(each) ?? each);
  const check =
    by === wanted
      ? `tokens are checked ${by}`
      : `tokens are checked ${by}, and not ${wanted}: watches are behind`;
  const columns = ["watch", "objects", "behind", "trouble"];
  const table = formatTable(
    columns.map((header) => ({ header })),
    watches.map((watch): Cell[] => {
      const trouble = troubleOf(watch);
      return [
        watch.resource,
        String(watch.objects),
        watch.staleMs === null ? "" : formatSpan(watch.staleMs),
        trouble === "" ? stateOf(watch) : { text: trouble, colour: "yellow" },
      ];
    }),
    { colour },
  );
  const hints = new Set(watches.map(({ hint }) => hint).filter((hint) => hint !== ""));
  const lines = Array.from(hints, (hint) => `hint: ${hint}\n`);
  const kept = kubeKeptLines(value, nowMs).map(({ text, isWell, hint = "" }) => {
    const next = hint === "" ? "" : `${printable(`hint: ${hint}`)}\n`;
    return `${printable(isWell ? text : `warning: ${text}`)}\n${next}`;
  });
  const head = `cluster ${server}, namespace ${namespace}: ${check}\n`;
  return `${head}${kept.join("")}${livenessLines(value)}\n${table}${lines.join("")}`;
}

function livenessLines({ livenessProblem: problem, livenessHint: hint }: KubeStatusValue): string {
  return problem === ""
    ? ""
    : `${printable(`warning: ${problem}`)}\n${printable(`hint: ${hint}`)}\n`;
}

function troubleOf({ resource, absent, unreadable, failure, detail }: KubeWatchValue): string {
  if (failure !== "") return `${failure}: ${detail}`;
  if (unreadable > 0) return `${unreadable} could not be read`;
  return absent && needed.has(resource) ? "the API server does not know it" : "";
}

function stateOf({ absent }: KubeWatchValue): string {
  return absent ? "not installed" : "";
}

/** CRDs of Istio may be missing. */
const needed: ReadonlySet<string> = new Set(["serviceaccounts", "pods", "namespaces", "services"]);
