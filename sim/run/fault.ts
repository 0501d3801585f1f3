/** What a schedule ended with, for people. */

export function textOf(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault);
  return fault.name === "Violation" ? fault.message : (fault.stack ?? fault.message);
}
