/** What stands under the table of `mtls status`: for each state that is not in force why it is so and what ends it, then each wait and refusal. */

import type { ProxyPolicyValue } from "./mtls-status-value.ts";
import { firstOf, printable } from "./text.ts";

/** @param all also those that are not shown: somebody may wait for them */
export function stateLines(
  shown: readonly ProxyPolicyValue[],
  all: readonly ProxyPolicyValue[],
): string {
  const stateOf = new Map(all.map((proxy) => [`${proxy.spiffeId} ${proxy.proxy}`, proxy.state]));
  const lines = [
    ...statesOf(shown),
    ...strangersOf(shown),
    ...shown.flatMap((proxy) => waitsOf(proxy, stateOf)),
    ...shown.flatMap(refusalOf),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

/** In the order in which they are told. */
const reasons: ReadonlyMap<string, string> = new Map([
  [
    "refused",
    "the Envoy goes on with what it had, as the last lines say; that is tried again when those objects change, or the Envoy comes back",
  ],
  [
    "silent",
    "no agent tells of it now, and it may go on with what it had: waited for until an agent does or its certificates have ended",
  ],
  [
    "envoy-away",
    "its agent tells, and its Envoy has no stream with it: waited for until it has one, and for a minute; then it counts as gone",
  ],
  [
    "unknown",
    "its Envoy has not answered since its agent began to tell of it: usually at once, and until then nothing is narrowed that it may need",
  ],
  [
    "unheard",
    "nothing was heard of it since the server's start, and its identity may have certificates: waited for until its agent tells of it, or " +
      "none of them is left by the log, which is read within seconds",
  ],
  [
    "pod-gone",
    "its pod is gone, and no node has said that it ended, as after a delete by force: what ran there may run on, and is waited for until its certificates end",
  ],
  [
    "earlier-pod",
    "an earlier pod of this name is gone, and no node has said that it ended, as after a delete by force: what ran there may run on, and is waited " +
      "for until its certificates end",
  ],
  [
    "pushed",
    "sent, and not answered yet: usually within a second, and an agent or Envoy that hangs counts as gone after 40 s",
  ],
  [
    "draining",
    "plaintext connections of before strict are open, or may be: Envoy closes them at its drain time, 10 s unless it was started with another",
  ],
  [
    "unobserved",
    "strict is acknowledged, and its Envoy has not told whether plaintext connections of before are open: one with the configuration of " +
      "portcullis envoy bootstrap does within seconds, any other never; its restart closes them",
  ],
  [
    "held",
    "a step waits for others, named below, and is taken by itself when they have answered or ended",
  ],
]);

function reasonOf({ state, absence }: ProxyPolicyValue): string {
  if (podReasons.has(absence)) return absence;
  const isOwn = absence === "envoy-away" || (state === "unknown" && absence === "unheard");
  return isOwn ? absence : state;
}

const podReasons: ReadonlySet<string> = new Set(["pod-gone", "earlier-pod"]);

function absentName(proxy: ProxyPolicyValue): string {
  const { absenceUntil } = proxy;
  return absenceUntil === "" ? nameOf(proxy) : `${nameOf(proxy)} (until ${absenceUntil})`;
}

function statesOf(proxies: readonly ProxyPolicyValue[]): readonly string[] {
  const byReason = Map.groupBy(proxies, reasonOf);
  return [...reasons].flatMap(([reason, why]) => {
    const [first, ...others] = byReason.get(reason) ?? [];
    if (first === undefined) return [];
    return [`${first.state}: ${firstOf([first, ...others].map(absentName))}: ${why}`];
  });
}

/** Often a node id that is mistaken: that looks as healthy as an Envoy that is to do nothing. */
function strangersOf(proxies: readonly ProxyPolicyValue[]): readonly string[] {
  const strangers = proxies.filter(
    // With its pod the workload has gone.
    ({ workload, ports, absence }) =>
      workload === null && ports.length === 0 && !podReasons.has(absence),
  );
  if (strangers.length === 0) return [];
  const why =
    "no WorkloadEntry or pod of its namespace has its node id as name and its serviceAccount: " +
    "it has no address, and no labels but those of envoy bootstrap --label";
  return [`no workload: ${firstOf(strangers.map(nameOf))}: ${why}`];
}

const steps: ReadonlyMap<string, string> = new Map([
  ["stop-plaintext", "does not refuse plaintext yet"],
  ["stop-mtls", "does not refuse mTLS yet"],
  ["send-mtls", "does not send mTLS yet"],
  ["send-plaintext", "does not send plaintext yet"],
]);

function waitsOf(proxy: ProxyPolicyValue, stateOf: ReadonlyMap<string, string>): readonly string[] {
  return proxy.waits.map(({ step, endpoint, for: names, count }) => {
    const more = count > names.length ? ` and ${count - names.length} more` : "";
    const whom = names.map((name) => {
      const state = stateOf.get(name) ?? "in-force";
      return state === "in-force" ? name : `${name} (${state})`;
    });
    const what = steps.get(step) ?? step;
    return `${nameOf(proxy)} ${what} (${endpoint}): waits for ${whom.join(", ")}${more}`;
  });
}

function refusalOf(proxy: ProxyPolicyValue): readonly string[] {
  const { refusal } = proxy;
  if (refusal === null) return [];
  const objects = refusal.objects.map(
    ({ kind, namespace, name }) => `${kind} ${namespace}/${name}`,
  );
  // The likeliest come first, and all endpoints of a service last.
  const of = objects.length === 0 ? "" : `, which comes of ${firstOf(objects)}`;
  const what = refusal.resources.join(", ") || "its policy";
  const detail = refusal.detail.trim();
  return [
    `${nameOf(proxy)}: Envoy has refused ${what}${of}, and keeps the last good one: ${detail}`,
  ];
}

function nameOf({ workload, spiffeId, proxy }: ProxyPolicyValue): string {
  return workload ?? `${spiffeId} ${proxy}`;
}
