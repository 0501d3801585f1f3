/**
 * From a CSR to a reply, each durable step by itself: what is signed was in the log before, and what it is signed with was taken
 * first. A change of trust waits until nothing is on its way, and what comes meanwhile waits for it.
 */

import type { LeafRecord } from "../../src/core/roll/leaf-record.ts";
import type { AuthorityRecord } from "../../src/core/trust/trust-state.ts";
import type { CsrCall } from "../world/csr-client.ts";
import type { Worker } from "../world/pipe.ts";
import { bitOf, rootDigest, type Leaf } from "../world/symbols.ts";
import type { Server } from "./server.ts";

/** What is signed with, and what each reply says. */
export interface Issuing {
  readonly authority: AuthorityRecord;
  readonly roots: readonly Uint8Array[];
}

interface Job {
  readonly call: CsrCall;
  readonly issuing: Issuing;
  /** How often its turn comes before it goes on: a signature may take long. */
  patience: number;
  intent?: LeafRecord;
  isSigned?: true;
}

export class Issuance implements Worker {
  readonly #server: Server;
  #waiting: CsrCall[] = [];
  #jobs: Job[] = [];
  #serials = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  get isReady(): boolean {
    const mayStart = this.#waiting.length > 0 && !this.#server.rotation.isAlone;
    return this.#server.isUp && (this.#jobs.length > 0 || mayStart);
  }

  get inFlight(): number {
    return this.#jobs.length;
  }

  take(call: CsrCall): void {
    this.#waiting.push(call);
  }

  step(): void {
    const call = this.#server.rotation.isAlone ? undefined : this.#waiting.shift();
    if (call !== undefined) return this.#begin(call);
    const index = this.#server.below(this.#jobs.length);
    const job = this.#jobs[index];
    if (job === undefined || job.patience-- > 0) return;
    if (job.intent === undefined) {
      this.#record(job);
    } else if (job.isSigned === undefined) {
      this.#sign(job, job.intent);
    } else {
      this.#jobs.splice(index, 1);
      this.#reply(job, job.intent);
    }
  }

  #begin(call: CsrCall): void {
    const patience = this.#server.below(8) === 0 ? this.#server.below(40) : 0;
    this.#jobs.push({ call, issuing: this.#server.issuing, patience });
  }

  reset(): void {
    this.#waiting = [];
    this.#jobs = [];
  }

  #record(job: Job): void {
    const { call, issuing } = job;
    const { log, lifeMs, nowMs } = this.#server;
    if (this.#server.below(12) === 0) job.patience = this.#server.below(40);
    this.#server.write("intent", () => {
      job.intent = log.intent({
        identity: call.identity,
        agent: call.agentId,
        serialHex: (++this.#serials).toString(16),
        notAfterMs: nowMs + lifeMs,
        root: rootDigest(issuing.authority.root),
      });
    });
  }

  #sign(job: Job, intent: LeafRecord): void {
    const { log, leaves } = this.#server;
    this.#server.write("result", () => {
      job.intent = log.result(intent);
      job.isSigned = true;
    });
    if (job.intent !== undefined) leaves.add(job.intent);
  }

  #reply({ call, issuing }: Job, record: LeafRecord): void {
    const { serialHex: serial, identity, notAfterMs, intentIndex } = record;
    const rootBit = bitOf(issuing.authority.root);
    this.#server.checkReply(intentIndex, issuing.roots);
    const leaf: Leaf = { serial, identity, rootBit, notAfterMs, intentIndex };
    call.client.answer(call, { leaf, roots: issuing.roots });
  }
}
