/** What rows take of the file, about, with their indices: the same in SQL, for those that are there. */

const caller = 192;
const hour = 32;
const span = 64;
const member = 512;

export const hourOctets: number = hour;
export const spanOctets: number = span;

/** @param name of its source */
export function callerOctets(name: string): number {
  return caller + 2 * name.length;
}

/** With their hours, by identity: of callers whose ids lie between. */
export const octetsOfCallers: string =
  `SELECT m.spiffe_id, sum(${caller} + 2 * coalesce(length(s.name), 0) +` +
  ` ${hour} * (SELECT count(*) FROM hours WHERE caller = c.id)) AS octets` +
  " FROM callers AS c JOIN members AS m ON m.id = c.member LEFT JOIN sources AS s ON s.id = c.source" +
  " WHERE c.id > ? AND c.id <= ? GROUP BY m.spiffe_id";

/** With their spans. */
export const octetsOfMembers: string =
  `SELECT spiffe_id, sum(${member} + length(labels) + 2 * length(proxy) + 2 * length(spiffe_id) +` +
  ` ${span} * (SELECT count(*) FROM spans WHERE member = members.id)) AS octets` +
  " FROM members WHERE id > ? AND id <= ? GROUP BY spiffe_id";

export function memberOctets(of: {
  readonly labels: string;
  readonly proxy: string;
  readonly spiffeId: string;
}): number {
  return member + of.labels.length + 2 * of.proxy.length + 2 * of.spiffeId.length;
}
