/** IP addresses as text, each in one form: sources of connections are told apart and looked up by it. */

const octet = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const ipv4 = new RegExp(String.raw`^${octet}(?:\.${octet}){3}$`);
const ipv6Letters = /^[\da-f:.]{2,45}$/i;
/** As the URL parser writes it. */
const mappedIpv4 = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/;

/**
 * IPv6 as RFC 5952 has it, without a zone; an IPv4-mapped address (RFC 4291 2.5.5.2) is an IPv4 address.
 * @returns undefined for what is no IP address
 */
export function canonicalIp(text: string): string | undefined {
  if (ipv4.test(text)) return text;
  if (!text.includes(":")) return undefined;
  const zone = text.indexOf("%");
  const address = zone === -1 ? text : text.slice(0, zone);
  if (!ipv6Letters.test(address)) return undefined;
  const written = URL.parse(`http://[${address}]`)?.hostname.slice(1, -1);
  if (written === undefined) return undefined;
  const [, high, low] = mappedIpv4.exec(written) ?? [];
  return high === undefined || low === undefined ? written : dotted(high, low);
}

/** @param address canonical */
export function isLoopback(address: string): boolean {
  return address === "::1" || (address.startsWith("127.") && !address.includes(":"));
}

/** @returns undefined where these are not 4 or 16 octets */
export function ipOfOctets(octets: Uint8Array): string | undefined {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((octets[2 * at] ?? 0) << 8) | (octets[2 * at + 1] ?? 0)).toString(16),
  );
  return canonicalIp(groups.join(":"));
}

/** @param address canonical */
export function octetsOfIp(address: string): Uint8Array {
  if (!address.includes(":")) return Uint8Array.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (text = ""): string[] => (text === "" ? [] : text.split(":"));
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(zeros).fill("0"), ...groups(tail)];
  return Uint8Array.from(
    all.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

function dotted(high: string, low: string): string {
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 0xff, b >> 8, b & 0xff].join(".");
}
