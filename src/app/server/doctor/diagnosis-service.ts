/** `portcullis.admin.v1` GetDiagnosis: the server looks at itself and at its cluster, once at a time for all who ask. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status, type handleUnaryCall } from "@grpc/grpc-js";
import {
  GetDiagnosisResponseSchema,
  type GetDiagnosisRequest,
  type GetDiagnosisResponse,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { failureFields } from "../failure-fields.ts";
import { findInCluster } from "./cluster-findings.ts";
import type { DiagnosisOptions } from "./diagnosis-options.ts";
import { findOwn } from "./own-findings.ts";

/** Each question has 5 s, and some come after others. */
const deadlineMs = 20_000;

export function diagnosisHandler(
  options: DiagnosisOptions,
): handleUnaryCall<GetDiagnosisRequest, GetDiagnosisResponse> {
  let looking: Promise<GetDiagnosisResponse> | undefined;
  const look = (): Promise<GetDiagnosisResponse> =>
    (looking ??= diagnose(options).finally(() => {
      looking = undefined;
    }));
  return (_, reply) => {
    look().then(
      (response) => reply(null, response),
      (error: unknown) => {
        options.parts.log.error(
          { event: "diagnosis-failed", ...failureFields(error) },
          "a diagnosis could not be made",
        );
        const details = `the diagnosis could not be made: ${failureFields(error).detail}`;
        reply({ code: status.INTERNAL, details });
      },
    );
  };
}

async function diagnose(options: DiagnosisOptions): Promise<GetDiagnosisResponse> {
  const own = await findOwn(options);
  const cluster = await findInCluster(options, own.guard, AbortSignal.timeout(deadlineMs));
  const findings = [...own.findings, ...cluster].map(({ id, ...said }) => ({ check: id, ...said }));
  const now = timestampFromMs(options.nowMs());
  return create(GetDiagnosisResponseSchema, { now, version: options.version, findings });
}
