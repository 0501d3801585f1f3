/** Colours, for who can see them. */

import { styleText } from "node:util";

export type Style = "bold" | "cyan" | "dim" | "green" | "magenta" | "red" | "yellow";

export type Paint = (style: Style, text: string) => string;

export function painter(colour: boolean): Paint {
  return (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text);
}
