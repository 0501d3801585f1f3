/**
 * What `JSON.parse` makes of a JSON object. Members are read by fixed names only, never by names
 * from outside.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
