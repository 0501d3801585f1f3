/** Which calls a change of the configuration would make otherwise: of a client, to everybody whom it may call. */

import { nameKey } from "../resources/resource.ts";
import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";
import { decideCalls } from "./calls.ts";
import { isInEgress } from "./explain-egress.ts";
import { sidesOf } from "./explain.ts";
import {
  isBroken,
  verdictOf,
  worstOf,
  type CallVerdict,
  type Verdict,
  type VerdictReason,
} from "./explain-verdict.ts";
import type { MeshView } from "./mesh-view.ts";
import type { ClientClass } from "./policy-diff-clients.ts";
import type { Sending } from "./proxy-policy.ts";

export type CallOutcome = {
  /** Null where there is nobody to send it to. */
  readonly sends: Sending | null;
  readonly verdict: Verdict;
  readonly why: VerdictReason | "unknown-host" | "unknown-port" | "not-in-egress";
};

export type CallChange = {
  readonly host: string;
  readonly port: number;
  /** `NAMESPACE/NAME`, or the address of one that is written into its ServiceEntry; null for all of them. */
  readonly endpoint: string | null;
  readonly before: CallOutcome;
  readonly after: CallOutcome;
  /** It worked, and would no more. */
  readonly breaks: boolean;
};

type SentOutcome = CallVerdict & { readonly sends: Sending };

/** By endpoint. */
type Outcomes = ReadonlyMap<string, SentOutcome>;

export function callChanges(
  before: MeshView,
  after: MeshView,
  client: ClientClass,
): readonly CallChange[] {
  const now = new Map(targetsOf(after, client.after));
  const changes: CallChange[] = [];
  for (const [key, outcomes] of targetsOf(before, client.before)) {
    const { host, port } = targetOf(key);
    const then = now.get(key);
    if (outcomes.size === 0) continue;
    if (then === undefined || then.size === 0) {
      const was = bestOf(outcomes);
      const why =
        then === undefined ? missing(after, client.after, { host, port }) : "no-endpoints";
      const gone = { sends: null, verdict: "fails", why } as const;
      changes.push({ host, port, endpoint: null, ...change(was, gone) });
      continue;
    }
    for (const [endpoint, was] of outcomes) {
      const is = then.get(endpoint);
      if (is === undefined || (is.sends === was.sends && is.verdict === was.verdict)) continue;
      changes.push({ host, port, endpoint, ...change(was, is) });
    }
  }
  return changes;
}

function change(
  before: CallOutcome,
  after: CallOutcome,
): Pick<CallChange, "before" | "after" | "breaks"> {
  return { before, after, breaks: isBroken(after.verdict) && !isBroken(before.verdict) };
}

/** Nobody is left for it: what most of them were sent does not matter then. */
function bestOf(outcomes: Outcomes): CallOutcome {
  const all = [...outcomes.values()];
  const working = all.find(({ verdict }) => !isBroken(verdict));
  return working ?? all[0] ?? { sends: null, ...worstOf([]) };
}

/** Everybody whom its Sidecar lets it call; without one everybody whom it sees. */
function* targetsOf(view: MeshView, client: WorkloadEntry): Generator<readonly [string, Outcomes]> {
  const { mesh } = view;
  const { namespace } = client.ref;
  const labelled = { namespace, labels: client.labels };
  const sidecar = takesMeshTls(client) ? view.sidecarOf(labelled) : undefined;
  for (const host of view.hosts()) {
    const seen = mesh.services
      .seen(host, namespace)
      .filter((service) => sidecar === undefined || isInEgress(sidecar, namespace, service, host));
    for (const port of new Set(seen.flatMap(({ ports }) => ports.map(({ number }) => number)))) {
      const answer = decideCalls(mesh, labelled, { host, port, subset: "" });
      if (answer.kind !== "known") continue;
      const outcomes = answer.calls.map((each): readonly [string, SentOutcome] => {
        const { ref } = each.endpoint;
        const sides = sidesOf(client, each);
        const { kind } = sides.sent;
        const sends = kind === "origination" ? "tls" : kind;
        const verdict = verdictOf(sides, answer.port, mesh.trustDomain);
        return [ref === undefined ? each.address : nameKey(ref), { sends, ...verdict }];
      });
      yield [`${host}:${port}`, new Map(outcomes)];
    }
  }
}

interface CallPlace {
  readonly host: string;
  readonly port: number;
}

function targetOf(key: string): CallPlace {
  const colon = key.lastIndexOf(":");
  return { host: key.slice(0, colon), port: Number(key.slice(colon + 1)) };
}

function missing(
  { mesh }: MeshView,
  { ref }: WorkloadEntry,
  { host, port }: CallPlace,
): CallOutcome["why"] {
  const seen = mesh.services.seen(host, ref.namespace);
  if (seen.length === 0) return "unknown-host";
  const hasPort = seen.some(({ ports }) => ports.some(({ number }) => number === port));
  return hasPort ? "not-in-egress" : "unknown-port";
}
