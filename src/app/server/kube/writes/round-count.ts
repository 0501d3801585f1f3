/** What may be true of every namespace at once is said at 1, 2, 4, 8... of them. */
export function isRound(count: number): boolean {
  return Number.isInteger(Math.log2(count));
}
