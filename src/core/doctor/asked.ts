/** A question whose failure is an answer, too: nobody knows, and why. */

import { PortcullisError } from "../error.ts";
import { known, unknown, type Asked } from "./finding.ts";

export async function askedOf<T>(ask: () => Promise<T>): Promise<Asked<T>> {
  try {
    return known(await ask());
  } catch (error) {
    return whyNot(error);
  }
}

function whyNot(error: unknown): Asked<never> {
  if (error instanceof PortcullisError) return unknown(error.message, error.hint);
  return unknown(error instanceof Error ? error.message : String(error));
}
