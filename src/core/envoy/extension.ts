/** A message of Envoy's within an Any, and the durations that many of them have. */

import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, type Any, type Duration } from "@bufbuild/protobuf/wkt";

/** An extension's configuration as `config_type` has it. */
export interface TypedConfig {
  readonly case: "typedConfig";
  readonly value: Any;
}

export function packed<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Any {
  return anyPack(schema, create(schema, init));
}

export function typedConfig<D extends DescMessage>(
  schema: D,
  init: MessageInitShape<D>,
): TypedConfig {
  return { case: "typedConfig", value: packed(schema, init) };
}

type DurationInit = Pick<Duration, "seconds" | "nanos">;

/** @param count whole seconds */
export function seconds(count: number): DurationInit {
  return { seconds: BigInt(count), nanos: 0 };
}
