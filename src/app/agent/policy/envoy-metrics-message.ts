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
  /** Gauges and counters of inbound ports and of changes of listeners, and Envoy's age. One that is not there was never used. */
  readonly stats: ReadonlyMap<string, number>;
}

/** How the names of those that are wanted begin, and end. */
const heads = [
  "connection_limit.inbound_",
  "http.inbound_",
  "listener.inbound_",
  "listener_manager.",
  "server.uptime",
  "tcp.inbound_",
].map((head) => Buffer.from(head));
const headsByFirst = Map.groupBy(heads, ([first]) => first);
const tails = [
  ".active_connections",
  ".downstream_cx_active",
  ".downstream_cx_destroy",
  ".downstream_cx_total",
  ".listener_removed",
  ".no_filter_chain_match",
  ".total_listeners_warming",
  ".uptime",
];
/** Of more chains than the ports of a policy have. */
const statsMax = 16_384;

const identifierField = StreamMetricsMessageSchema.field.identifier.number;
const familyField = StreamMetricsMessageSchema.field.envoyMetrics.number;
const nameField = MetricFamilySchema.field.name.number;
const metricField = MetricFamilySchema.field.metric.number;
const lean = { readUnknownFields: false };

/** @throws Error for what is no such message, or too much */
export function readEnvoyMetrics(octets: Uint8Array): EnvoyMetrics {
  let nodeId: string | undefined;
  let takenMs: number | undefined;
  const stats = new Map<string, number>();
  const reader = new BinaryReader(octets);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited && field === identifierField) {
      nodeId = fromBinary(IdentifierSchema, reader.bytes(), lean).node?.id;
    } else if (wireType === WireType.LengthDelimited && field === familyField) {
      const { name, metric } = readFamily(reader, takenMs === undefined);
      takenMs ??= metric && Number(metric.timestampMs);
      const value = metric?.gauge?.value ?? metric?.counter?.value;
      if (name === undefined || value === undefined) continue;
      // None may be left out: what is not there counts as 0.
      if (stats.size >= statsMax) throw new RangeError(`expected at most ${statsMax} statistics`);
      stats.set(name, value);
    } else {
      reader.skip(wireType, field);
    }
  }
  return { nodeId, takenMs, stats };
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
  const likely = headsByFirst.get(octets[0]);
  if (!likely?.some((head) => head.every((octet, at) => octets[at] === octet))) return undefined;
  const name = Buffer.from(octets).toString("latin1");
  return tails.some((tail) => name.endsWith(tail)) ? name : undefined;
}
