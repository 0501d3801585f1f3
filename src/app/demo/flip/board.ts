/** The third act's board: what each server takes, what the verdict is, and what the callers meet. */

import { firstOf } from "../../cli/text.ts";
import type { Paint } from "../paint.ts";

export interface FlipBoard {
  readonly phase: string;
  /** What each server's Envoy has in force; "" for nothing yet. */
  readonly modes: ReadonlyMap<string, string>;
  /** safe, unsafe, unknown; "" before the first. */
  readonly verdict: string;
  readonly named: readonly string[];
  readonly meshed: { readonly sent: number; readonly failed: number };
  readonly plaintext: { readonly served: number; readonly refused: number };
}

const namesShown = 3;
const ruleWidth = 96;

/** Lines that fit 100 columns. */
export function boardLines(view: FlipBoard, paint: Paint): readonly string[] {
  const { phase, meshed, plaintext } = view;
  const row = (label: string, text: string): string =>
    ` ${paint("bold", label.padEnd(14))} ${text}`;
  const failed = paint(meshed.failed === 0 ? "green" : "red", `${meshed.failed} failed`);
  const modes = [...view.modes].map(([name, mode]) => `${name} ${modeText(mode, paint)}`);
  return [
    paint("dim", `${"─".repeat(4)} ${phase} `.padEnd(ruleWidth, "─")),
    row("servers", modes.join("   ")),
    row("verdict", verdictText(view, paint)),
    row("mTLS", `${meshed.sent} requests sent, ${failed}`),
    row("plaintext", `${plaintext.served} served, ${plaintext.refused} refused`),
  ];
}

/** The same in one line. */
export function boardLine({ modes, verdict, meshed, plaintext }: FlipBoard): string {
  const strict = [...modes.values()].filter((mode) => mode === "strict").length;
  const parts = [
    `${meshed.sent} requests over mTLS, ${meshed.failed} failed`,
    `plaintext: ${plaintext.served} served, ${plaintext.refused} refused`,
    `${strict} of ${modes.size} strict`,
    verdict === "" ? "no verdict yet" : verdict.toUpperCase(),
  ];
  return parts.join("; ");
}

function modeText(mode: string, paint: Paint): string {
  if (mode === "") return paint("dim", "-");
  return paint(mode === "strict" ? "green" : "yellow", mode);
}

function verdictText({ verdict, named }: FlipBoard, paint: Paint): string {
  const style = verdict === "safe" ? "green" : verdict === "unsafe" ? "red" : "yellow";
  const text = paint(style, verdict === "" ? "-" : verdict.toUpperCase());
  return named.length === 0 ? text : `${text}: ${firstOf(named, namesShown)}`;
}
