/**
 * What the server writes into its log besides signatures: refusals, counted, and each trust state before anything is signed
 * under it. It also keeps what `portcullis.db` knows of the log: how far it has got.
 */

import { hash } from "node:crypto";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import type { Entry, EventEntry } from "../../../core/log/entry.ts";
import { LogError } from "../../../core/log/log-error.ts";
import { RefusalTally } from "../../../core/log/refusal-tally.ts";
import { encodeTrustState } from "../../../core/trust/trust-state-codec.ts";
import type { TrustState } from "../../../core/trust/trust-state.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import type { Facts } from "../../../edge/store/facts.ts";
import { LogTime, type LogTimeDependencies } from "./log-time.ts";
import { ProvenClock } from "./proven-clock.ts";

export interface LogKeeperDependencies extends LogTimeDependencies {
  readonly log: LogStore;
  readonly facts: Facts;
  /** What was counted is lost. */
  readonly onFailed: (error: unknown) => void;
}

/** An event without what the log itself fills in. */
export type LogEvent = Pick<EventEntry, "type"> &
  Partial<Pick<EventEntry, "operator" | "subject" | "reason" | "digest" | "detail">>;

const refusalsIntervalMs = 60_000;
/** Probes may keep callers away until the log can be written again: then nobody but the server itself finds out. */
const retryIntervalMs = 5_000;
/** Of an hour in which the log could not be written. */
const unwrittenMax = 4_860;
const unwritable: ReadonlySet<string> = new Set(["log-unwritable", "log-full"]);
/** Each time costs a commit on the main thread. */
const keepIntervalMs = 600_000;
const unfitIntervalMs = 60_000;
/** Octets of an event's detail in the log. */
const detailMax = 4_096;
/** Denials have events of their own. */
const none = new Uint8Array(32);
const nothing = { operator: "", subject: "", reason: "", digest: new Uint8Array(), detail: "" };

export class LogKeeper implements AsyncDisposable {
  readonly time: LogTime;
  /** For what opens, or is forgotten, when certificates have expired. */
  readonly proven: ProvenClock;
  readonly #dependencies: LogKeeperDependencies;
  readonly #refusals = new RefusalTally();
  /** Counted, and not taken by a log that failed: goes along with what comes next. */
  #unwritten: readonly Entry[] = [];
  readonly #timers: readonly NodeJS.Timeout[];
  #unfitAgainMs = -Infinity;
  #keeping: Promise<void> = Promise.resolve();

  constructor(dependencies: LogKeeperDependencies) {
    this.#dependencies = dependencies;
    const { log, facts, read, onFailed } = dependencies;
    const newestMs = newestTimeMs(log);
    const acceptedMs = acceptedWallMs(facts, newestMs);
    this.time = new LogTime(dependencies, newestMs, acceptedMs);
    const proven = {
      read,
      isGood: () => this.time.status.kind === "ok",
      recall: () => facts.recall("clock-proven"),
      remember: (text: string) => facts.remember("clock-proven", text),
      onFailed,
    };
    this.proven = new ProvenClock(proven, acceptedMs ?? newestMs);
    this.#timers = [
      setInterval(() => void this.#writeRefusals(), refusalsIntervalMs).unref(),
      setInterval(() => void this.#retry(), retryIntervalMs).unref(),
      setInterval(() => this.#keep(), keepIntervalMs).unref(),
    ];
  }

  /** @param caller "" for one that proved no identity */
  countRefusal(caller: string, reason: string, address: string): void {
    this.#refusals.add(caller, reason, address.slice(0, addressMax), this.time.nowMs());
  }

  /** Durable when it resolves. @throws LogError */
  async event(event: LogEvent): Promise<void> {
    await this.eventAt(event);
  }

  /** As `event`. @returns its index */
  async eventAt(event: LogEvent): Promise<number> {
    return await this.#append([{ kind: "event", timeMs: this.time.nowMs(), ...nothing, ...event }]);
  }

  /** Before anything is signed under a trust state that does not stand in the log yet. @throws LogError */
  async trustIs(state: TrustState): Promise<void> {
    const digest = hash("sha256", encodeTrustState({ ...state, denyDigest: none }), "buffer");
    const detail = state.authorities.map(({ id, state: step }) => `${id} ${step}`).join("\n");
    const subject = `epoch ${state.epoch}`;
    await this.#sayOnce("log-trust", { type: "trust-changed", subject, digest, detail });
  }

  /** Before anything is signed under settings that do not stand in the log yet. @throws LogError */
  async policyIs({ digest, detail }: Required<Pick<LogEvent, "digest" | "detail">>): Promise<void> {
    const subject = "issuance";
    await this.#sayOnce("log-policy", { type: "policy-changed", subject, digest, detail });
  }

  /** Unless the newest of its kind in the log has the same digest. */
  async #sayOnce(
    fact: "log-trust" | "log-policy",
    event: LogEvent & Pick<EventEntry, "digest">,
  ): Promise<void> {
    const { facts } = this.#dependencies;
    const digestHex = Buffer.from(event.digest).toString("hex");
    if (facts.recall(fact) === digestHex) return;
    await this.event(event);
    facts.remember(fact, digestHex);
  }

  /** Bytes that failed a lint, now and then: whatever makes them makes many. */
  keepUnfit(identity: string, error: unknown, tbs: Uint8Array): void {
    const nowMs = performance.now();
    if (nowMs < this.#unfitAgainMs) return;
    this.#unfitAgainMs = nowMs + unfitIntervalMs;
    const message = error instanceof Error ? error.message : "";
    const whole = JSON.stringify({ message, tbs: Buffer.from(tbs).toString("base64") });
    const event = {
      type: "alarm",
      subject: identity,
      reason: "certificate-lint-failed",
      digest: hash("sha256", tbs, "buffer"),
      detail: whole.length <= detailMax ? whole : JSON.stringify({ message }),
    } as const;
    this.#keeping = this.event(event).catch(this.#dependencies.onFailed);
  }

  /** An operator says that the clock is right. @returns how far it had jumped, in ms */
  async acceptClock(operator: string, reason: string): Promise<number> {
    const { status } = this.time;
    const { wallMs } = this.#dependencies.read();
    const jumpMs = status.kind === "stopped" ? status.jumpMs : this.proven.aheadMs;
    const subject = new Date(wallMs).toISOString();
    const detail = `jump of ${jumpMs} ms`;
    await this.event({ type: "clock-accepted", operator, reason, subject, detail });
    this.time.accept();
    this.proven.accept();
    const accepted = { wallMs, logMs: this.time.nowMs() };
    this.#dependencies.facts.remember("clock-accepted", JSON.stringify(accepted));
    return jumpMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#keeping;
    await this.#writeRefusals();
    this.#keep();
  }

  async #writeRefusals(): Promise<void> {
    const entries = [...this.#unwritten, ...this.#refusals.flush(this.time.nowMs())];
    if (entries.length === 0) return;
    this.#unwritten = [];
    try {
      await this.#append(entries);
    } catch (error) {
      // An entry that cannot be written at all must not keep the others from it.
      const isWorld = error instanceof LogError && unwritable.has(error.code);
      if (isWorld) this.#unwritten = [...entries, ...this.#unwritten].slice(0, unwrittenMax);
      this.#dependencies.onFailed(error);
    }
  }

  /** Only a write shows whether the log can be written. */
  async #retry(): Promise<void> {
    const { failure, isDead } = this.#dependencies.log.writer.state;
    if (failure === undefined || isDead) return;
    // Somebody was refused because of it, or an event was: that is worth an entry.
    if (this.#unwritten.length === 0) this.countRefusal("", failure.code, "");
    await this.#writeRefusals();
  }

  #keep(): void {
    this.proven.keep();
    this.#keepCheckpoint();
  }

  #keepCheckpoint(): void {
    const { log, facts, onFailed } = this.#dependencies;
    try {
      const { checkpoint } = log.reader.head();
      if (facts.recall("log-checkpoint") === checkpoint) return;
      facts.remember("log-checkpoint", checkpoint);
    } catch (error) {
      onFailed(error);
    }
  }

  async #append(entries: readonly Entry[]): Promise<number> {
    const { firstIndex } = await this.#dependencies.log.writer.append(entries);
    return firstIndex;
  }
}

/** Octets of a name in the log. */
const addressMax = 254;

/** Its last entry's: pruning leaves that. */
function newestTimeMs({ reader }: LogStore): number | undefined {
  const { size } = reader.head();
  const bytes = size === 0 ? undefined : reader.entry(size - 1);
  return bytes && decodeEntry(bytes).timeMs;
}

/** Where an accepted clock is behind the log, the log's time stands still until it has caught up. */
function acceptedWallMs(facts: Facts, newestMs: number | undefined): number | undefined {
  const text = facts.recall("clock-accepted");
  if (text === undefined || newestMs === undefined) return undefined;
  const { wallMs, logMs }: { wallMs?: unknown; logMs?: unknown } = JSON.parse(text);
  const isCurrent = typeof wallMs === "number" && typeof logMs === "number" && newestMs <= logMs;
  return isCurrent && wallMs < newestMs ? wallMs : undefined;
}
