/** The second act's board: where the rotation stands, who has confirmed, who is waited for, what the traffic sees. */

import type { PairsSeen } from "../mesh/coverage.ts";
import type { Paint } from "../paint.ts";

export interface RootsView {
  readonly phase: string;
  /** In the order in which they were made; those of whom nothing is left, too. */
  readonly roots: readonly { readonly letter: string; readonly state: string }[];
  /** Undefined while the server does not answer. */
  readonly verifiers: VerifiersView | undefined;
  /** How many workloads hold a certificate of each root, by the root's letter, so far as the traffic saw. */
  readonly held: Readonly<Record<string, number>>;
  /** Certificates that hang on a root that is retiring, whether somebody still shows them or not. */
  readonly left: { readonly count: number; readonly seconds: number } | undefined;
  readonly requests: { readonly sent: number; readonly failed: number };
  readonly handshakes: { readonly made: number; readonly failed: number };
  readonly pairs: PairsSeen;
}

export interface VerifiersView {
  readonly total: number;
  readonly confirmed: number;
  /** Short names. */
  readonly laggards: readonly string[];
}

const laggardsShown = 2;
const ruleWidth = 96;

/** Lines that fit 100 columns. */
export function boardLines(view: RootsView, paint: Paint): readonly string[] {
  const { phase, requests, handshakes } = view;
  const failed = (count: number): string => paint(count === 0 ? "green" : "red", `${count} failed`);
  const row = (label: string, text: string): string =>
    ` ${paint("bold", label.padEnd(14))} ${text}`;
  return [
    paint("dim", `${"─".repeat(4)} ${phase} `.padEnd(ruleWidth, "─")),
    row("roots", view.roots.map((root) => rootText(root, paint)).join("   ")),
    row("verifiers", verifiersText(view.verifiers, paint)),
    row("certificates", heldText(view)),
    row("requests", `${requests.sent} sent, ${failed(requests.failed)}`),
    row("handshakes", `${handshakes.made}, ${failed(handshakes.failed)}`),
    row("ordered pairs", pairsText(view.pairs)),
  ];
}

/** The same in one line. */
export function boardLine(view: RootsView): string {
  const { requests, verifiers } = view;
  const confirmed =
    verifiers === undefined
      ? "the server has not answered yet"
      : `${verifiers.confirmed}/${verifiers.total} hold the present bundle`;
  const counts = `${requests.sent} requests, ${requests.failed} failed`;
  return [counts, confirmed, heldText(view)].filter((each) => each !== "").join("; ");
}

/** By letters: "A/B" is a caller with a certificate of root A and a callee with one of root B. */
export function pairsText(pairs: PairsSeen): string {
  const entries = Object.entries(pairs).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const letters = (key: string): string => key.split("/").map(letterOf).join("/");
  return entries.map(([key, count]) => `${letters(key)} ${count}`).join(", ");
}

/** @param generation from 1 on */
export function letterOf(generation: number | string): string {
  return String.fromCodePoint(64 + Number(generation));
}

function rootText({ letter, state }: RootsView["roots"][number], paint: Paint): string {
  const style = state === "active" ? "green" : state === "gone" ? "dim" : "yellow";
  return `${letter} ${paint(style, state)}`;
}

function verifiersText(verifiers: VerifiersView | undefined, paint: Paint): string {
  if (verifiers === undefined) return paint("red", "no answer from the server");
  const { total, confirmed, laggards } = verifiers;
  const done = `${confirmed}/${total} hold the present bundle`;
  if (laggards.length === 0) return paint("green", done);
  const more = laggards.length - laggardsShown;
  const named = laggards.slice(0, laggardsShown).join(", ");
  return `${done}; ${paint("yellow", `waits for ${named}${more > 0 ? ` and ${more} more` : ""}`)}`;
}

function heldText({ held, left }: RootsView): string {
  const entries = Object.entries(held).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const shown = entries.map(([letter, count]) => `${count} of root ${letter}`).join(", ");
  if (left === undefined || left.count === 0) return shown;
  return `${shown}; ${left.count} old ones expire within ${left.seconds} s`;
}
