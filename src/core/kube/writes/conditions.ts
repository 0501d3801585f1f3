/**
 * What a PeerAuthentication's `status.conditions` are to say (Kubernetes API conventions, "Typical status properties"): whether we could
 * read it, whether proxies have confirmed it, and what would become of its callers. Conditions of others stay as they are.
 */

import { isJsonObject, type JsonObject } from "../../identity/json-object.ts";
import { sameValue } from "../../policy/same-value.ts";

/** What is known of one object. */
export interface PolicyFacts {
  /** Of the object that the facts are of: another one of its name has others. Undefined: nobody knows. */
  readonly uid: string | undefined;
  /** The `metadata.generation` that was read; undefined: nobody knows. */
  readonly generation: number | undefined;
  /** Why it does not count as it is written; empty: it does. */
  readonly problems: readonly string[];
  /** What of it has no effect, or another one than it looks. */
  readonly warnings: readonly string[];
  /** Of the proxies that it decides for, how many have confirmed that it is in force. Undefined: it decides for none. */
  readonly proxies: ProxyShare | undefined;
  /** Of what it lets in without TLS; undefined where it lets in nothing. */
  readonly verdict: PolicyVerdict | undefined;
}

export interface ProxyShare {
  readonly confirmed: number;
  readonly total: number;
  /** Of those that have not confirmed it, whose pods are gone and may run on. */
  readonly gone?: number;
  /** When the certificates of the last of them end. */
  readonly goneUntilMs?: number;
}

export interface PolicyVerdict {
  readonly kind: "SAFE" | "UNSAFE" | "UNKNOWN";
  /** In words, such as who would be refused. */
  readonly why: string;
}

/** Without its time. */
export interface WantedCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

const prefix = "portcullis.io/";
/** metav1.Condition has 32,768; who reads it has a screen. */
const messageMax = 1_024;
const shownProblems = 5;

export function wantedConditions(facts: PolicyFacts): readonly WantedCondition[] {
  const { generation, verdict } = facts;
  const all = [
    accepted(facts),
    inForce(facts),
    ...(verdict === undefined ? [] : [judged(verdict)]),
  ];
  return all.map(({ message, ...condition }) => ({
    ...condition,
    type: `${prefix}${condition.type}`,
    message: cut(message),
    ...(generation !== undefined && { observedGeneration: generation }),
  }));
}

function accepted({ problems, warnings }: PolicyFacts): WantedCondition {
  const type = "Accepted";
  if (problems.length > 0) {
    return { type, status: "False", reason: "Problems", message: listed(problems) };
  }
  return warnings.length > 0
    ? { type, status: "True", reason: "Warnings", message: listed(warnings) }
    : { type, status: "True", reason: "Accepted", message: "it counts as it is written" };
}

function listed(all: readonly string[]): string {
  const more = all.length - shownProblems;
  const shown = all.slice(0, shownProblems).join("; ");
  return more > 0 ? `${shown}; and ${more} more` : shown;
}

function inForce({ proxies }: PolicyFacts): WantedCondition {
  const type = "InForce";
  if (proxies === undefined || proxies.total === 0) {
    return {
      type,
      status: "Unknown",
      reason: "NoProxies",
      message: "no proxy is known to need it",
    };
  }
  const { confirmed, total } = proxies;
  const message = `confirmed by ${confirmed} of ${total} proxies${goneWords(proxies)}`;
  return confirmed >= total
    ? { type, status: "True", reason: "Confirmed", message }
    : { type, status: "False", reason: "Waiting", message };
}

/** Why it may stay so for hours: a new pod of the name looks as if all were well. */
function goneWords({ gone = 0, goneUntilMs = 0 }: ProxyShare): string {
  if (gone === 0) return "";
  const whose =
    gone === 1 ? "1 is of an earlier pod that is" : `${gone} are of earlier pods that are`;
  const until = new Date(goneUntilMs).toISOString().replace(/\.\d{3}Z$/, "Z");
  return `; ${whose} gone, and may run on until its certificates end, ${until}`;
}

/** True: it can be made strict. */
function judged({ kind, why }: PolicyVerdict): WantedCondition {
  const status = ({ SAFE: "True", UNSAFE: "False", UNKNOWN: "Unknown" } as const)[kind];
  const reason = ({ SAFE: "Safe", UNSAFE: "Unsafe", UNKNOWN: "Unknown" } as const)[kind];
  return { type: "Verdict", status, reason, message: `${kind}: ${why}` };
}

function cut(text: string): string {
  return text.length > messageMax ? `${text.slice(0, messageMax - 3)}...` : text;
}

/**
 * @param existing of the object, as they are
 * @param nowMs Unix
 * @returns all that it is to have; undefined: as it is
 */
export function mergedConditions(
  existing: unknown,
  wanted: readonly WantedCondition[],
  nowMs: number,
): readonly JsonObject[] | undefined {
  const all = Array.isArray(existing) ? existing.filter(isJsonObject) : [];
  const ours = new Map(
    wanted.map((condition) => {
      const before = all.find(({ type }) => type === condition.type);
      const lastTransitionTime = transitionTime(before, condition, nowMs);
      return [condition.type, { ...condition, lastTransitionTime }] as const;
    }),
  );
  // Each in its place: an order of our own would be one more thing to fight about.
  const kept = all.flatMap((each): readonly JsonObject[] => {
    const type = typeof each["type"] === "string" ? each["type"] : "";
    if (!type.startsWith(prefix)) return [each];
    const next = ours.get(type);
    ours.delete(type);
    return next === undefined ? [] : [next];
  });
  const merged = [...kept, ...ours.values()];
  return sameValue(all, merged) ? undefined : merged;
}

/** Kept while the status is what it was. */
function transitionTime(
  before: JsonObject | undefined,
  { status }: WantedCondition,
  nowMs: number,
): string {
  const written = before?.["lastTransitionTime"];
  if (before?.["status"] === status && typeof written === "string") return written;
  // As metav1.Time is written: whole seconds.
  return new Date(nowMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}
