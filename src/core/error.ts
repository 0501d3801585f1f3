/**
 * The one base of every error that Portcullis raises on purpose. A room narrows `Code` to its own closed list of
 * literals, so that a `switch` on `code` is exhaustive. Broken input and a broken world are errors; a decision that
 * says no is a value.
 */

export interface ErrorOptionsWithHint extends ErrorOptions {
  /** What the reader can do about it: for an operator, the next command. */
  readonly hint?: string;
}

export class PortcullisError<Code extends string = string> extends Error {
  override name = "PortcullisError";
  /** Stable, kebab-case, fit for a metric label and for scripts. */
  readonly code: Code;
  readonly hint: string | undefined;

  /** @param message lower case, no final period, "expected X, got Y"; never a secret */
  constructor(code: Code, message: string, options: ErrorOptionsWithHint = {}) {
    super(message, options);
    this.code = code;
    this.hint = options.hint;
  }
}
