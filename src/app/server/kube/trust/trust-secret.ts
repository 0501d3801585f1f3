/**
 * The trust state and its keys in a Secret of the cluster: what is decided here is stored here first, then there, and only then in force. A
 * server that lost its disk takes over what is there; one that cannot know that it is current signs nothing.
 *
 * While it runs and has the Lease, nobody else may write the Secret: what a hand has done to it is undone, and said; what a tool does again
 * and again, seldom. What is of a later epoch is never written over.
 */

import {
  isTouched,
  judgeTrust,
  type TrustJudgement,
} from "../../../../core/kube/trust/trust-judgement.ts";
import type { Problem } from "../../../../core/problem.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import {
  isSameContent,
  type FoundSecret,
  type SecretContent,
} from "../../../../edge/kube/trust/trust-secret-object.ts";
import { LeasedSecret } from "./leased-secret.ts";
import { TrustGate } from "./trust-gate.ts";
import { TrustElsewhere, type RecordElsewhere } from "./trust-elsewhere.ts";
import { TrustMends } from "./trust-mends.ts";
import { troubleOf, TrustSecretError, type Trouble } from "./trust-secret-error.ts";
import {
  trustSecretTimes,
  type TrustSecretOptions,
  type TrustSecretReport,
  type TrustSecretTimes,
} from "./trust-secret-options.ts";
import { OneAtATime } from "../../one-at-a-time.ts";
import { foundStamp, stampOf } from "./trust-stamps.ts";

const conflictsMax = 3;

export class TrustSecret implements AsyncDisposable {
  readonly #options: TrustSecretOptions;
  readonly #times: TrustSecretTimes;
  readonly #gate: TrustGate;
  readonly #mends: TrustMends;
  readonly #secret: LeasedSecret;
  readonly #elsewhere: TrustElsewhere;
  readonly #turns = new OneAtATime();
  /** Since when something is stored here that is not there; Unix ms. */
  #behindSinceMs: number | undefined;
  #takenOverMs: number | undefined;
  /** Of the Secret, when it was seen to have all that is here. */
  #goodVersion: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Only a start takes over what is there: this one ends, and takes nothing up again. */
  #overtaken: TrustSecretError | undefined;

  constructor(options: TrustSecretOptions) {
    this.#options = options;
    this.#times = { ...trustSecretTimes, ...options.times };
    const { silenceMaxMs } = this.#times;
    this.#gate = new TrustGate({ ...options, place: options.object, silenceMaxMs });
    this.#mends = new TrustMends({ ...options, place: options.object });
    this.#secret = new LeasedSecret({ ...options, gate: this.#gate });
    this.#elsewhere = new TrustElsewhere({ ...options, silenceMaxMs });
  }

  /** Before the trust is loaded: takes over what is in the Secret. @throws TrustSecretError, KubeError, StoreError: nothing is changed */
  async begin(): Promise<void> {
    await this.#untilUndisturbed(() => this.#begin());
  }

  async #begin(): Promise<void> {
    const found = await this.#secret.read();
    const judgement = this.#judge(found);
    if (judgement === "adopt" && found?.content !== undefined) this.#adopt(found.content);
    else if (isTrouble(judgement)) throw this.#troubleOf(judgement, found);
    // What a hand has been at is written by the publication, which says whose it was.
    if (found !== undefined && !this.#isTouched(found)) await this.#secret.fence(found);
  }

  #adopt(content: SecretContent): void {
    const { local, log, object, nowMs } = this.#options;
    this.#takenOverMs = nowMs();
    local.adopt(content, object, this.#takenOverMs);
    const { epoch } = content.record.state;
    const hint = "its log begins anew where the data directory was lost: docs/kubernetes.md";
    log.warn({ event: "trust-adopted", epoch, hint }, "took over the trust of the Secret");
  }

  /** @param record says in the log what is not in it, now and from now on. @throws what that throws: the start has failed */
  async recordElsewhere(record: RecordElsewhere): Promise<void> {
    await this.#elsewhere.recordBy(record);
  }

  /** The longest lifetime that any server of the mesh has signed with, as far as is known. */
  get ttlMaxSeconds(): number {
    return this.#options.local.ttlMaxSeconds;
  }

  /** From now on it is looked at again and again. */
  watch(): void {
    this.#timer ??= setInterval(() => void this.#look(), this.#times.lookMs).unref();
  }

  /** What is stored here is there, too, when it resolves. @throws TrustSecretError, KubeError */
  async publish(): Promise<void> {
    this.#behindSinceMs ??= this.#options.nowMs();
    try {
      await this.#turns.run(() => this.#publish(false));
    } catch (error) {
      // Whoever has given an order reads the log at once. A start says itself why it ends.
      if (this.#timer !== undefined) this.#mends.failed(error);
      throw error;
    }
  }

  /**
   * Before anything is signed for so long: whoever takes over from here has to wait as long.
   * @throws TrustSecretError, KubeError: then nothing may be
   */
  async raiseTtl(maxTtlSeconds: number): Promise<void> {
    const { local, nowMs } = this.#options;
    await this.#turns.run(async () => {
      local.raiseTtl(maxTtlSeconds);
      this.#behindSinceMs ??= nowMs();
      this.#goodVersion = undefined;
      await this.#publish(false);
    });
  }

  /** As `publish`, without anybody who waits for it. */
  owe(): void {
    void this.publish().catch((error: unknown) => this.#mends.failed(error));
  }

  /** As the gate says it, and not before the log says what is not in it. @throws TrustSecretError */
  assertMayChange(): void {
    const { hold } = this;
    if (hold !== undefined) throw hold;
  }

  /** Why no trust is changed now; undefined where it may be. */
  get hold(): TrustSecretError | undefined {
    return this.#gate.hold ?? this.#elsewhere.hold(this.#secret.isUnfenced);
  }

  /** As the gate says it. @throws TrustSecretError */
  assertNotOvertaken(): void {
    this.#gate.assertNotOvertaken();
  }

  /** As the gate says it. @throws CaCallError */
  assertMaySign(): void {
    this.#gate.assertMaySign();
  }

  /** Whether the roots that are in force here are surely those of the mesh: nobody but who knows that may write them into the cluster. */
  get areRootsCurrent(): boolean {
    return this.#gate.hold === undefined && !this.#secret.isUnfenced;
  }

  /** Why nothing is signed; empty while all is well. */
  get problems(): readonly Problem[] {
    const { problem } = this.#gate;
    return problem === undefined ? [] : [problem];
  }

  /** Something is stored here that is not there yet. */
  get isBehind(): boolean {
    return this.#behindSinceMs !== undefined;
  }

  /** For operators. */
  report(): TrustSecretReport {
    const { object, lease } = this.#options;
    return {
      name: `${object.namespace}/${object.name}`,
      behindSinceMs: this.#behindSinceMs,
      takenOverMs: this.#takenOverMs,
      problem: this.#gate.problem,
      shortfall: this.#mends.shortfall,
      lease: lease.state(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#turns.idle();
  }

  async #look(): Promise<void> {
    try {
      await this.#turns.run(() => this.#publish(true));
    } catch (error) {
      // What ends tries nothing again.
      if (this.#overtaken === undefined) this.#mends.failed(error);
    }
  }

  /** @param isLook whether nobody waits for it */
  async #publish(isLook: boolean): Promise<void> {
    await this.#untilUndisturbed(() => this.#bringOver(isLook));
    await this.#elsewhere.settle();
  }

  /** @param work from a look at the Secret to a write that follows from it */
  async #untilUndisturbed(work: () => Promise<void>): Promise<void> {
    for (let conflicts = 0; ; conflicts++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof KubeError) || error.code !== "kube-conflict") throw error;
        if (conflicts < conflictsMax) continue;
        const message = "the Secret of the trust is written by others all the time";
        throw new TrustSecretError("trust-secret-conflict", message, { cause: error });
      }
    }
  }

  async #bringOver(isLook: boolean): Promise<void> {
    const { local, lease, nowMs } = this.#options;
    if (this.#overtaken !== undefined) throw this.#overtaken;
    const found = await this.#secret.read();
    const judgement = this.#judge(found);
    if (judgement !== "edited" && isTrouble(judgement)) throw this.#shut(judgement, found);
    this.#gate.open();
    lease.resume();
    const lacks = this.#mends.lacksDenials;
    const isKnown = found?.version === this.#goodVersion && !this.#secret.isUnfenced;
    // A long deny list is not packed again each time that nothing has happened.
    if (judgement === "same" && isKnown) return this.#isGood(lacks);
    if (judgement === "same" && found?.content !== undefined) local.published(found.content.record);
    // The state is there, and not all that belongs to it: a hand has been at it, unless that is on its way from here.
    const isDamaged = judgement === "same" && (!this.isBehind || this.#mends.isContested);
    const isMend = isDamaged || this.#isTouched(found);
    const content = local.content();
    this.#mends.lacks(content.lacksDenials);
    const isThere = found?.content !== undefined && isSameContent(found.content, content);
    if (judgement !== "same" || !isThere) {
      this.#gate.assertMayChange();
      const stamp = stampOf(content.record.state);
      // One that is gone is made at once, whoever deletes it: a lost volume must not find none.
      if (isLook && isMend && found !== undefined && this.#mends.isPaused(stamp)) {
        this.#behindSinceMs ??= nowMs();
        return;
      }
      local.attempt(content.record);
      await this.#secret.write(content, found);
      this.#mends.wrote(stamp, found, isMend);
    } else if (isThere) {
      await this.#secret.fence(found);
    }
    local.published(content.record);
    if (isThere) this.#goodVersion = found.version;
    // Something else may have been stored meanwhile: that is owed by whoever stored it.
    const isLate = local.stamp()?.epoch !== content.record.state.epoch;
    this.#isGood(isLate || content.lacksDenials);
  }

  /** Whoever has the trust that is in the Secret must not wait for the Lease, and the roots that are here must not get into the cluster. */
  #shut(judgement: Trouble, found: FoundSecret | undefined): TrustSecretError {
    const { lease, onOvertaken } = this.#options;
    const error = this.#gate.shut(this.#troubleOf(judgement, found));
    lease.rest();
    if (judgement === "adopt") {
      this.#overtaken = error;
      onOvertaken(error);
    }
    return error;
  }

  #isGood(isBehind: boolean): void {
    this.#behindSinceMs = isBehind ? (this.#behindSinceMs ?? this.#options.nowMs()) : undefined;
    this.#mends.good();
  }

  #judge(found: FoundSecret | undefined): TrustJudgement {
    const { local } = this.#options;
    return judgeTrust(local.stamp(), foundStamp(found));
  }

  #isTouched(found: FoundSecret | undefined): boolean {
    const stamp = this.#options.local.stamp();
    return stamp !== undefined && isTouched(stamp, foundStamp(found));
  }

  #troubleOf(judgement: Trouble, found: FoundSecret | undefined): TrustSecretError {
    const { local, object } = this.#options;
    const epochs = {
      local: local.stamp()?.epoch,
      found: found?.content?.record.state.epoch,
    };
    const { manager = "", error: cause } = found ?? {};
    return troubleOf(judgement, object, epochs, { manager, cause });
  }
}

const fine: ReadonlySet<TrustJudgement> = new Set(["first", "create", "same", "push"]);

function isTrouble(judgement: TrustJudgement): judgement is Trouble {
  return !fine.has(judgement);
}
