/** A promise that was not kept. Any other error that a schedule ends with is one, too. */

export class Violation extends Error {
  override name = "Violation";
}
