/** How far back a verdict looks. Another look-back than the server's setting stands in the log: a verdict is worth what it rests on. */

import { formatDuration } from "../../../core/duration.ts";
import type { LogKeeper } from "../log/log-keeper.ts";
import { CommandError } from "../operator-command.ts";
import { FlipRefusedError } from "./flip-refusals.ts";

export interface LookBacksDependencies {
  readonly settings: () => {
    readonly lookBackSeconds: number;
    readonly evidenceRetentionSeconds: number;
  };
  readonly record: LogKeeper["event"];
  readonly nowMs: () => number;
}

/** Half of it may still be on its way, and agents tell every 10 s: less would be UNKNOWN now and then whatever happens. */
const secondsMin = 30n;

/** Who looks each second is in the log each hour. */
const againMs = 3_600_000;
const saidMax = 1_000;

export class LookBacks {
  readonly #dependencies: LookBacksDependencies;
  /** When it was last in the log, by who asked for what. */
  readonly #said = new Map<string, number>();

  constructor(dependencies: LookBacksDependencies) {
    this.#dependencies = dependencies;
  }

  /** @param seconds 0 for the setting @returns ms @throws CommandError, FlipRefusedError `look-back-too-long`, `look-back-too-short` */
  parse(seconds: bigint): number {
    const { lookBackSeconds, evidenceRetentionSeconds } = this.#dependencies.settings();
    if (seconds < 0n) {
      throw new CommandError("command-setting", `expected a look-back in seconds, got ${seconds}`);
    }
    if (seconds === 0n || seconds === BigInt(lookBackSeconds)) return lookBackSeconds * 1_000;
    if (seconds < secondsMin) throw tooShort(seconds);
    if (seconds <= BigInt(evidenceRetentionSeconds)) return Number(seconds) * 1_000;
    const message = `expected a look-back of at most ${formatDuration(evidenceRetentionSeconds)}, for which it is kept who has called whom, got ${spanText(seconds)}`;
    throw new FlipRefusedError("look-back-too-long", message, {
      hint: "ask for less, or keep more: server --evidence-retention",
    });
  }

  /** @param asked by `mtls check`, of a target @throws LogError */
  async say(lookBackMs: number, operator: string, asked: string): Promise<void> {
    const { settings, record, nowMs } = this.#dependencies;
    const settingMs = settings().lookBackSeconds * 1_000;
    if (lookBackMs === settingMs) return;
    const key = JSON.stringify([operator, asked, lookBackMs]);
    const atMs = nowMs();
    if (Math.abs(atMs - (this.#said.get(key) ?? -Infinity)) < againMs) return;
    const detail = `look-back of ${lookBackMs / 1_000} s, setting ${settingMs / 1_000} s`;
    await record({ type: "command", operator, subject: asked, detail });
    // What could not be written is not said: whoever asks again tries again.
    if (this.#said.size >= saidMax) this.#said.clear();
    this.#said.set(key, atMs);
  }
}

/** A client may send any number. */
function spanText(seconds: bigint): string {
  return formatDuration(Number(seconds));
}

function tooShort(seconds: bigint): FlipRefusedError {
  const message = `expected a look-back of at least ${spanText(secondsMin)}, of which agents that tell every 10 s can have told, got ${spanText(seconds)}`;
  return new FlipRefusedError("look-back-too-short", message, {
    hint: "look back further; what is right for a target is as long as its rarest caller takes to call again",
  });
}
