/**
 * A flush of Envoy's statistics, read by hand: of hundreds of families each second a few are of use, and the others are not even
 * looked into.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  StreamMetricsMessage_IdentifierSchema as IdentifierSchema,
  StreamMetricsMessageSchema,
} from "../../../gen/envoy/service/metrics/v3/metrics_service_pb.ts";
import {
  MetricFamilySchema,
  MetricSchema,
  type Metric,
} from "../../../gen/io/prometheus/client/metrics_pb.ts";

export interface EnvoyMetrics {
  /** Of the first message of a stream. */
  readonly nodeId: string | undefined;
  /** When Envoy took them, by its clock; undefined where there are none. */
  readonly takenMs: number | undefined;
  /** Those of inbound chains, and of changes of listeners. One that is not there was never used. */
  readonly gauges: ReadonlyMap<string, number>;
}

/** How the names of those that are wanted begin, and end. */
const heads = ["connection_limit.inbound_", "http.inbound_", "listener_manager.total_"].map(
  (head) => Buffer.from(head),
);
const tails = [".active_connections", ".downstream_cx_active", ".total_listeners_warming"];
/** Of more chains than the ports of a policy have. */
const gaugesMax = 4_096;

const identifierField = StreamMetricsMessageSchema.field.identifier.number;
const familyField = StreamMetricsMessageSchema.field.envoyMetrics.number;
const nameField = MetricFamilySchema.field.name.number;
const metricField = MetricFamilySchema.field.metric.number;
const lean = { readUnknownFields: false };

/** @throws Error for what is no such message, or too much */
export function readEnvoyMetrics(octets: Uint8Array): EnvoyMetrics {
  let nodeId: string | undefined;
  let takenMs: number | undefined;
  const gauges = new Map<string, number>();
  const reader = new BinaryReader(octets);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited && field === identifierField) {
      nodeId = fromBinary(IdentifierSchema, reader.bytes(), lean).node?.id;
    } else if (wireType === WireType.LengthDelimited && field === familyField) {
      const { name, metric } = readFamily(reader, takenMs === undefined);
      takenMs ??= metric && Number(metric.timestampMs);
      if (name === undefined || metric?.gauge === undefined) continue;
      // None may be left out: what is not there counts as 0.
      if (gauges.size >= gaugesMax) throw new RangeError(`expected at most ${gaugesMax} gauges`);
      gauges.set(name, metric.gauge.value);
    } else {
      reader.skip(wireType, field);
    }
  }
  return { nodeId, takenMs, gauges };
}

interface Family {
  /** Undefined where it is not wanted. */
  readonly name: string | undefined;
  /** Envoy's families have one each. */
  readonly metric: Metric | undefined;
}

/**
 * Leaves the reader behind it. Protobuf's writers begin with the name: where that is not wanted, nothing else is read.
 * @param isTimeWanted of any family, since all of a flush have the same
 */
function readFamily(reader: BinaryReader, isTimeWanted: boolean): Family {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("expected the whole of a family of metrics");
  let name: string | undefined;
  let metric: Metric | undefined;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) reader.skip(wireType, field);
    else if (field === nameField) {
      name = wantedName(reader.bytes());
      if (name === undefined && !isTimeWanted) break;
    } else if (field === metricField) metric ??= fromBinary(MetricSchema, reader.bytes(), lean);
    else reader.bytes();
  }
  reader.pos = end;
  return { name, metric };
}

function wantedName(octets: Uint8Array): string | undefined {
  if (!heads.some((head) => head.every((octet, at) => octets[at] === octet))) return undefined;
  const name = Buffer.from(octets).toString("latin1");
  return tails.some((tail) => name.endsWith(tail)) ? name : undefined;
}
