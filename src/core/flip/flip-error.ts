/** What an operator wrote and nobody can make sense of; and a "no", which is a value: what was expected, what is there, what to do. */

import { PortcullisError, type ErrorOptionsWithHint } from "../error.ts";

export type FlipErrorCode =
  | "target-invalid"
  | "target-unknown"
  /** Several objects of one name select different workloads. */
  | "target-ambiguous"
  /** The workload's labels are others', too. */
  | "target-selects-others"
  /** The object selects nobody that could be made strict by it. */
  | "target-without-selector"
  /** The root namespace: its policies are the whole mesh's. */
  | "target-is-mesh"
  | "target-port-unknown"
  | "stages-invalid"
  /** Of the store. */
  | "flip-malformed";

export interface FlipErrorOptions extends ErrorOptionsWithHint {
  readonly candidates?: readonly string[];
}

export class FlipError extends PortcullisError<FlipErrorCode> {
  override name = "FlipError";
  /** What may have been meant, for who looks for the nearest. */
  readonly candidates: readonly string[];

  constructor(code: FlipErrorCode, message: string, options: FlipErrorOptions = {}) {
    super(code, message, options);
    this.candidates = options.candidates ?? [];
  }
}

export type FlipRefusalCode =
  /** What decides for the target decides for others, too. */
  | "other-object"
  /** Of a namespace: other objects decide for all of it. */
  | "target-decided-by-others"
  /** The object that is to be made has a name that another one has. */
  | "name-taken"
  | "disabled"
  | "port-disabled"
  | "already-strict"
  | "nothing-to-revert";

export interface FlipRefusal {
  readonly code: FlipRefusalCode;
  readonly message: string;
  /** The next command, or what to do. */
  readonly hint: string;
}

export function isRefusal(value: object): value is FlipRefusal {
  return "code" in value;
}

const namedMax = 3;

/** `a, b, c and 4 more`. */
export function listed(names: readonly string[]): string {
  const more = names.length - namedMax;
  const shown = names.slice(0, namedMax).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}
