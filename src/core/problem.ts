/** Why something does not go on as it should, for whoever has to do something about it. */

export interface Problem {
  /** Lower case, no final period. */
  readonly detail: string;
  /** The next command, or what to look at; "" where nothing is known. */
  readonly hint: string;
}
