/** What is said of policies on one mesh stream, from the server's first word of them on. */

import type { ClientDuplexStream } from "@grpc/grpc-js";
import { policyAssignments } from "../../../edge/rpc/policy-snapshot-messages.ts";
import type {
  ConnectRequest,
  ConnectResponse,
  PolicySnapshot,
} from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { Known } from "../mesh-report.ts";
import type { AgentPolicies } from "./agent-policies.ts";
import { PolicyReporter } from "./policy-reporter.ts";

export interface PolicyTalkOptions {
  readonly policies: AgentPolicies;
  readonly known: () => Known;
  /** The stream is to be told what has changed. */
  readonly update: () => void;
}

export class PolicyTalk {
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  readonly #options: PolicyTalkOptions;
  readonly #reporter = new PolicyReporter();
  #isWaiting = false;
  #isOver = false;

  constructor(
    stream: ClientDuplexStream<ConnectRequest, ConnectResponse>,
    options: PolicyTalkOptions,
  ) {
    this.#stream = stream;
    this.#options = options;
  }

  /** The first says that this server knows policy, and takes reports. */
  take(snapshot: PolicySnapshot): void {
    const { policies, known } = this.#options;
    if (!this.#reporter.hasBegun) {
      this.#write(this.#reporter.begin(policies.known(mayAct(known()))));
      if (!this.#isOver) policies.talks.began(this);
    }
    const assignments = policyAssignments(snapshot);
    this.#reporter.read(assignments.length, policies.take(assignments));
  }

  /** Another stream has taken its place, or will. */
  close(): void {
    this.#isOver = true;
    this.#options.policies.talks.ended(this);
  }

  /** Connections are counted all the time: a server that does not read hears the last count only. */
  update(known: Known): void {
    if (!this.#reporter.hasBegun || this.#isWaiting) return;
    if (this.#stream.writableNeedDrain) {
      this.#isWaiting = true;
      this.#stream.once("drain", () => {
        this.#isWaiting = false;
        this.#options.update();
      });
      return;
    }
    this.#write(this.#reporter.update(this.#options.policies.known(mayAct(known))));
  }

  /** The server has kept nothing of these. */
  forget(spiffeIds: ReadonlySet<string>): void {
    this.#reporter.forget(spiffeIds);
  }

  #write(messages: readonly ConnectRequest[]): void {
    for (const message of messages) this.#stream.write(message);
  }
}

/** Who is away and still has a certificate to use. */
function mayAct({ remembered }: Known): (key: string) => boolean {
  return (key) => remembered?.has(key) === true;
}
