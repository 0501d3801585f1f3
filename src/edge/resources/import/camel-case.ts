/** Fields as today's API spells them: Istio 1.0 took `peer_is_optional` as well as `peerIsOptional`. */

import { isJsonMap, type Json } from "../manifest.ts";

/** Their keys are data. */
const maps: ReadonlySet<string> = new Set(["annotations", "labels", "matchLabels"]);

export function camelCased(value: Json): Json {
  if (Array.isArray(value)) return value.map(camelCased);
  if (!isJsonMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      const name = key.replaceAll(/(?<=[a-z])_([a-z])/g, (_, letter: string) =>
        letter.toUpperCase(),
      );
      return [name, maps.has(name) ? each : camelCased(each)];
    }),
  );
}
