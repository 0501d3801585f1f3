/** From an API server's question to its answer: what is asked, whether it can make anybody fail, and what is said of it. */

import type { JsonObject } from "../../../../core/identity/json-object.ts";
import {
  allowed,
  admissionReview,
  parseAdmissionReview,
} from "../../../../core/kube/guard/admission-review.ts";
import type {
  AdmissionAnswer,
  AdmissionAsked,
  AskedChange,
} from "../../../../core/kube/guard/admission-review.ts";
import {
  decideAdmission,
  undecided,
  type GuardMode,
} from "../../../../core/kube/guard/admission-decision.ts";
import type { RecentChanges } from "../../../../core/kube/guard/recent-changes.ts";
import { onlyRelaxes } from "../../../../core/kube/guard/stricter-ports.ts";
import type { PeerAuthentication } from "../../../../core/resources/peer-authentication.ts";
import {
  nameKey,
  type ResourceName,
  type ResourceRef,
} from "../../../../core/resources/resource.ts";
import type { AskedFrom } from "../../../../edge/rpc/webhook-http.ts";
import type { GuardEvents } from "../../../../edge/telemetry/guard-events.ts";
import type { FlipConfiguration } from "../../flips/flip-configuration.ts";
import type { StoredObject } from "../../policy/resources/stored-object.ts";
import { readChange, type HoldingPeers } from "./guard-change.ts";
import type { GuardJudge, JudgedParts } from "./guard-judge.ts";
import { TimedTurns } from "./timed-turns.ts";

export interface GuardAdmissionOptions {
  readonly mode: GuardMode;
  /** Our own. Whoever asks may say that it is this one, so that only what we are writing is ours. */
  readonly ownUser: string;
  /** Whether a flip, which was judged, is writing just this. */
  readonly isWriting: (ref: ResourceRef, after: JsonObject | undefined) => boolean;
  readonly judge: Pick<GuardJudge, "judge">;
  readonly configuration: Pick<FlipConfiguration, "find" | "findBelowCluster">;
  /** Why nothing can be known yet; undefined while all that is watched is there. */
  readonly notReady: () => string | undefined;
  readonly events: GuardEvents;
  readonly recent: Pick<RecentChanges, "add">;
}

/** Its deletions take a namespace's workloads with them. */
const namespaceController = "system:serviceaccount:kube-system:namespace-controller";

const unreadableHint =
  "Portcullis stays with the last one that it could read: write it so that portcullis validate takes it";

export class GuardAdmission {
  readonly #options: GuardAdmissionOptions;
  /** Whole configurations are gone through: one after the other. */
  readonly #turns = new TimedTurns();

  readonly #holding: HoldingPeers;

  constructor(options: GuardAdmissionOptions) {
    this.#options = options;
    const { configuration } = options;
    this.#holding = {
      inForce: (name) => peerOf(configuration.find(refOf(name))),
      belowCluster: (name) => peerOf(configuration.findBelowCluster(refOf(name))),
    };
  }

  /** @returns an AdmissionReview @throws AdmissionError for a question that is none */
  async answer(body: string, of: AskedFrom): Promise<string> {
    const asked = parseAdmissionReview(body);
    const answer = await this.#answerTo(asked, of);
    return JSON.stringify(admissionReview(asked.uid, answer));
  }

  async #answerTo(asked: AdmissionAsked, of: AskedFrom): Promise<AdmissionAnswer> {
    const { events, mode } = this.#options;
    const { change, username, isDryRun } = asked;
    if (change === undefined) return allowed;
    const fields = { username, isDryRun, change };
    let answer: AdmissionAnswer;
    try {
      answer = await this.#decide(change, asked, of);
    } catch (error) {
      events.failed(fields, error);
      answer = undecided(mode, "the server could not judge it", "its log says why");
    }
    events.answered(fields, answer);
    return answer;
  }

  async #decide(
    change: AskedChange,
    { username, isDryRun }: AdmissionAsked,
    { deadlineMs, address }: AskedFrom,
  ): Promise<AdmissionAnswer> {
    const { mode, ownUser, isWriting, judge, notReady, recent } = this.#options;
    const read = readChange(change, this.#holding);
    if (read.kind === "same") return allowed;
    if (read.kind === "unreadable") {
      return undecided(mode, `the object cannot be read: ${read.why}`, unreadableHint);
    }
    const noted = (answer: AdmissionAnswer): AdmissionAnswer => {
      if (answer.isAllowed && !isDryRun) recent.add(read.change, performance.now());
      return answer;
    };
    const isOurs = username === ownUser && isWriting(refOf(read.change.name), read.manifest);
    if (isOurs || onlyRelaxes(read.change)) return noted(allowed);
    const why = notReady();
    if (why !== undefined) return noted(undecided(mode, why, "try again; portcullis status"));
    const answer = await this.#turns.run(address, deadlineMs, async (signal) => {
      const judged = await judge.judge(read.change, signal);
      signal.throwIfAborted();
      // In its turn: whoever is next is judged with it.
      return noted(this.#answerOf(change, username, judged));
    });
    if (answer !== undefined) return answer;
    const late = `it took longer than ${Math.floor(deadlineMs)} ms`;
    const smaller = `smaller steps: portcullis mtls plan -n ${change.namespace}`;
    return noted(undecided(mode, late, smaller));
  }

  #answerOf(
    change: AskedChange,
    username: string,
    { parts, cut, namespaces }: JudgedParts,
  ): AdmissionAnswer {
    const { operation, namespace } = change;
    const isWithItsNamespace =
      username === namespaceController &&
      operation === "DELETE" &&
      namespaces.difference(new Set([namespace])).size === 0;
    if (isWithItsNamespace) return allowed;
    const object = nameKey(change);
    return decideAdmission(this.#options.mode, { operation, object, parts, cut });
  }
}

function refOf({ namespace, name }: ResourceName): ResourceRef {
  return { kind: "PeerAuthentication", namespace, name };
}

function peerOf(stored: StoredObject | undefined): PeerAuthentication | undefined {
  const object = stored?.object;
  return object?.kind === "PeerAuthentication" ? object.object : undefined;
}
