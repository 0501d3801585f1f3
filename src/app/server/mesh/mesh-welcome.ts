/** A stream's Hello: it gets a name in the roll, the trust bundle, and the log if it witnesses that. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { Roll } from "../../../core/roll/roll.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import type { Hello } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { isAgentId } from "./agent-id.ts";
import type { AgentNames } from "./agent-names.ts";
import type { BundlePublisher } from "./bundle-publisher.ts";
import { encodeCollectConnections } from "../../../edge/rpc/connection-messages.ts";
import { encodePolicySnapshots } from "../../../edge/rpc/policy-snapshot-messages.ts";
import type { LogWitnessing } from "../log/log-witnessing.ts";
import type { ConnectionIntake } from "../evidence/connection-intake.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { CanaryControl } from "../rotation/canary-control.ts";
import type { StreamRefusal } from "./mesh-admission.ts";
import type { MeshSessions, Session } from "./mesh-session.ts";

export interface MeshWelcomeDependencies {
  readonly roll: Roll;
  readonly events: MeshEvents;
  readonly sessions: MeshSessions;
  readonly publisher: BundlePublisher;
  /** What an agent is called that calls itself so. */
  readonly nameOf: AgentNames["nameOf"];
  /** The pod that a certificate was issued to, while the server still knows. */
  readonly podOf: (serialHex: string) => string | undefined;
  readonly witnessing?: LogWitnessing;
  readonly policy?: Pick<PolicyControl, "withoutPolicy">;
  readonly connections?: Pick<ConnectionIntake, "intervalMs"> | undefined;
  readonly canaries?: Pick<CanaryControl, "ask">;
  /** When the last certificate ends that an identity was given; 0 for none. */
  readonly newestNotAfterMs: (spiffeId: string) => number;
  /** How far an agent's clock is off. */
  readonly sawSkew: (differenceMs: number) => void;
  readonly nowMs: () => number;
}

const versionCharsMax = 64;

export class MeshWelcome {
  readonly #dependencies: MeshWelcomeDependencies;

  constructor(dependencies: MeshWelcomeDependencies) {
    this.#dependencies = dependencies;
  }

  /** @returns why the stream ends, if it does. @throws RollError */
  greet(session: Session, hello: Hello): StreamRefusal | undefined {
    const { agentId: claimed, logCheckpoint, agentTime } = hello;
    if (!isAgentId(claimed)) {
      const details = "expected an agent_id of 1 to 128 word characters";
      return { code: status.INVALID_ARGUMENT, details };
    }
    const { podOf, roll, sessions, publisher, events, sawSkew, newestNotAfterMs, nowMs } =
      this.#dependencies;
    const { call, peer } = session;
    const pod = podOf(peer.serialHex);
    const agentId = this.#dependencies.nameOf(peer, claimed);
    const reporter = { agentId, spiffeId: peer.id.toString(), ...(pod !== undefined && { pod }) };
    const now = nowMs();
    const skewMs = agentTime && now - timestampMs(agentTime);
    const isNodeAgent = session.spokenFor !== undefined;
    const leafNotAfterMs = peer.notAfterMs;
    const facts = { skewMs, leafNotAfterMs, isNodeAgent, newestNotAfterMs, nowMs: now };
    roll.connected(reporter, facts);
    if (skewMs !== undefined) sawSkew(skewMs);
    session.agentVersion = hello.agentVersion.slice(0, versionCharsMax);
    sessions.speaks(session, reporter);
    events.agentConnected(reporter, call.getPeer());
    publisher.send(session);
    // It says what its proxies do, once it knows that it is asked.
    if (hello.wantsPolicy) {
      session.wantsPolicy = true;
      for (const each of encodePolicySnapshots([])) call.write(each);
      this.#dependencies.canaries?.ask(session);
      const intervalMs = this.#dependencies.connections?.intervalMs;
      if (intervalMs !== undefined) call.write(encodeCollectConnections(intervalMs));
    } else this.#dependencies.policy?.withoutPolicy(reporter, isNodeAgent);
    if (logCheckpoint !== undefined) this.#showLog(session, reporter, logCheckpoint);
    return undefined;
  }

  #showLog(session: Session, reporter: Reporter, note: string): void {
    const { witnessing, nowMs } = this.#dependencies;
    if (witnessing === undefined) return;
    const { call, spokenFor } = session;
    session.witness = {
      reporter,
      send: (message) => void call.write(message),
      isSlow: () => call.writableNeedDrain,
      speaksFor: (id) => id === reporter.spiffeId || spokenFor?.has(id, nowMs()) === true,
    };
    witnessing.begin(session.witness, note);
  }
}
