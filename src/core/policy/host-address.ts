/** What kind of address an endpoint has: resources say it as text, and have been checked for being one of these. */

const ipv4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const unixScheme = "unix://";

export function isIpAddress(address: string): boolean {
  // No name of DNS has a colon.
  return ipv4.test(address) || (address.includes(":") && !isUnixAddress(address));
}

export function isUnixAddress(address: string): boolean {
  return address.startsWith(unixScheme);
}

/** Of one that `isUnixAddress`. */
export function unixPath(address: string): string {
  return address.slice(unixScheme.length);
}
