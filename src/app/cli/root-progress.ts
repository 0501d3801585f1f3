/** What goes on, while it goes on: one live line at a terminal, a line for each change elsewhere, or an object a line. */

import type { Context } from "./command.ts";
import { formatRelative } from "./format.ts";
import type { JsonValue } from "./output.ts";
import { laggardNames } from "./root-laggards.ts";
import type { RotateWait } from "./root-rotate-step.ts";
import type { RootStatusValue } from "./root-value.ts";
import { printable } from "./text.ts";

/** Of the steps of a rotation, with the waits between. */
const stepCount = 6;

const stepOf: Readonly<Record<RotateWait["until"], number>> = { activate: 2, retire: 4, over: 6 };

export type ProgressFormat = "table" | "json" | "none";

export class Progress {
  readonly #context: Context;
  readonly #format: ProgressFormat;
  #last = "";
  #isLive = false;

  constructor(context: Context, format: ProgressFormat) {
    this.#context = context;
    this.#format = format;
  }

  /** What has happened; it stays. */
  note(event: string, text: string, fields: Readonly<Record<string, JsonValue>> = {}): void {
    this.end();
    this.#last = "";
    if (this.#format === "json") this.#json({ event, text, ...fields });
    else if (this.#format === "table") this.#context.stdout.write(`${printable(text)}\n`);
  }

  /** What is waited for; said again only when it has changed, but for the time that is left. */
  wait(wait: RotateWait, status: RootStatusValue): void {
    const what = waitText(wait, status);
    if (this.#format === "json") return this.#waitJson(what, wait);
    this.#line(what, opensText(wait, status.now));
  }

  /** The server does not answer: it may be starting anew. */
  away(): void {
    const text = "the server does not answer; the rotation stays where it is";
    if (this.#format !== "json") return this.#line(text, "");
    if (this.#last !== text) this.#json({ event: "away", text });
    this.#last = text;
  }

  /** Leaves the live line behind, as it is. */
  end(): void {
    if (this.#isLive) this.#context.stdout.write("\n");
    this.#isLive = false;
  }

  #line(what: string, time: string): void {
    if (this.#format === "none") return;
    const { stdout, isTty, columns } = this.#context;
    const text = printable(what + time);
    if (isTty) {
      const fitting = text.length < columns ? text : `${text.slice(0, Math.max(0, columns - 2))}…`;
      stdout.write(`${clearLine}${fitting}`);
      this.#isLive = true;
    } else if (what !== this.#last) {
      stdout.write(`${text}\n`);
    }
    this.#last = what;
  }

  #waitJson(text: string, wait: RotateWait): void {
    if (text === this.#last) return;
    this.#last = text;
    this.#json({ event: "wait", text, ...wait });
  }

  #json(value: Readonly<Record<string, JsonValue>>): void {
    this.#context.stdout.write(`${JSON.stringify(value)}\n`);
  }
}

/** ECMA-48 EL: all of the line. */
const clearLine = "\r\u001B[2K";

function waitText(wait: RotateWait, { reissue }: RootStatusValue): string {
  const head = `step ${stepOf[wait.until]} of ${stepCount}, ${countsText(wait)}`;
  if (wait.isServersTurn) return `${head}; nobody lags, and the server goes on by itself`;
  const names = laggardNames(wait.laggards, wait.lagging);
  const left = wait.until === "retire" && reissue.left > 0 ? `; ${reissue.left} to re-issue` : "";
  return `${head}${left}${names === "" ? "" : `; lagging: ${names}`}`;
}

function countsText({ until, confirmed, total, lagging }: RotateWait): string {
  switch (until) {
    case "activate":
      return `activate waits: ${confirmed}/${total} verifiers have confirmed the new root`;
    case "retire":
      return `retire waits: ${lagging} of ${total} certificates hang on the old root`;
    case "over":
      return `the end waits: ${confirmed}/${total} verifiers hold the bundle without the old root`;
    default:
      return until satisfies never;
  }
}

function opensText({ opensAt }: RotateWait, now: string): string {
  return opensAt === ""
    ? ""
    : `; at the latest ${formatRelative(Date.parse(opensAt), Date.parse(now))}`;
}
