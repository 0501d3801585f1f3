/** The streams on which agents tell of their proxies, and what each has told. */

import type { PolicyReport, ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import { MeshMessageError } from "../../../edge/rpc/mesh-fields.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { UncountedProxies } from "./uncounted-proxies.ts";

export interface PolicyStream {
  readonly session: Session;
  readonly reporter: Reporter;
  /** Told on this stream, by key. */
  readonly told: Set<string>;
  /** Their keys, by `policyKey`. */
  readonly names: Map<string, string>;
  readonly uncounted: UncountedProxies;
  /** Sent on it, to whomever. */
  assignments: number;
  isComplete: boolean;
  /** It has told more of policies than there was room for. */
  isOver: boolean;
}

export class PolicyStreams {
  readonly #streams = new Map<Session, PolicyStream>();
  /** The newest of each agent. */
  readonly #ofAgent = new Map<string, PolicyStream>();

  get(session: Session): PolicyStream | undefined {
    return this.#streams.get(session);
  }

  ofAgent({ spiffeId, agentId }: Reporter): PolicyStream | undefined {
    return this.#ofAgent.get(agentKey(spiffeId, agentId));
  }

  /** @throws MeshMessageError for a second first report, and for one that answers what was not sent */
  open(session: Session, reporter: Reporter, { full, proxies }: PolicyReport): PolicyStream {
    const known = this.#streams.get(session);
    if (full && known !== undefined) {
      throw new MeshMessageError("mesh-policy-malformed", "expected one full report of policies");
    }
    assertSent(proxies, known?.assignments ?? 0);
    const stream = known ?? newStream(session, reporter);
    this.#streams.set(session, stream);
    this.#ofAgent.set(agentKey(reporter.spiffeId, reporter.agentId), stream);
    return stream;
  }

  close(session: Session): PolicyStream | undefined {
    const stream = this.#streams.get(session);
    if (stream === undefined) return undefined;
    this.#streams.delete(session);
    const { spiffeId, agentId } = stream.reporter;
    const agent = agentKey(spiffeId, agentId);
    if (this.#ofAgent.get(agent) === stream) this.#ofAgent.delete(agent);
    return stream;
  }
}

function assertSent(proxies: readonly ReportedPolicy[], assignments: number): void {
  for (const { proxyId, assignmentsAnswered: answered } of proxies) {
    if (answered <= assignments) continue;
    const message = `expected answers to at most ${assignments} assignments, got ${answered}`;
    throw new MeshMessageError("mesh-policy-malformed", `${proxyId.slice(0, 64)}: ${message}`);
  }
}

function newStream(session: Session, reporter: Reporter): PolicyStream {
  return {
    session,
    reporter,
    told: new Set(),
    names: new Map(),
    uncounted: new UncountedProxies(),
    assignments: 0,
    isComplete: false,
    isOver: false,
  };
}
