/**
 * Who gives a command, and what he may say with it. No control characters, no line ends, nothing that turns the direction of writing.
 * A name is claimed, or it is a user's that the cluster has verified: those begin with a prefix that no door takes from a claim.
 */

/** Short enough for the log. */
export const reasonPattern: RegExp = /^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u;
/** A claimed name, or none: the empty one is the server's own in the log. */
export const operatorPattern: RegExp = /^[^\p{C}\p{Zl}\p{Zp}]{0,60}$/u;

const verifiedPrefix = "kubernetes:";
const verifiedPattern = /^kubernetes:[^\p{C}\p{Zl}\p{Zp}]+$/u;
/** Octets of a name in the log. */
const nameBytesMax = 254;

/** @returns undefined for a user whose name the log cannot have whole: a part of it may be another one's */
export function verifiedOperator(user: string): string | undefined {
  const name = verifiedPrefix + user;
  return isVerifiedOperator(name) && isOperator(name) ? name : undefined;
}

/** As the log has it. */
export function isVerifiedOperator(name: string): boolean {
  return name.startsWith(verifiedPrefix);
}

/** Claimed or verified, or none. */
export function isOperator(name: string): boolean {
  if (!isVerifiedOperator(name)) return operatorPattern.test(name);
  return verifiedPattern.test(name) && Buffer.byteLength(name) <= nameBytesMax;
}
