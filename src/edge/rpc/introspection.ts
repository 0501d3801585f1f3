/** gRPC health and reflection. Loaded after start-up: proto-loader is large, and nobody's first call needs it. */

import type { DescFile, DescService } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";

/** Of what proto-loader would have loaded, reflection reads the file descriptors only. */
type Described = ConstructorParameters<typeof import("@grpc/reflection").ReflectionService>[0];

/** The reflection and health services themselves are not listed, as grpc-go and Envoy do it. */
export async function addReflection(
  server: Server,
  services: readonly DescService[],
): Promise<void> {
  const { ReflectionService } = await import("@grpc/reflection");
  const files = new Map<string, Buffer>();
  for (const service of services) collect(service.file, files);
  const packageDefinition = { portcullis: { fileDescriptorProtos: [...files.values()] } };
  const names = services.map(({ file, typeName }) =>
    file.proto.package === "" ? `.${typeName}` : typeName,
  );
  const described = packageDefinition as unknown as Described;
  const reflection = new ReflectionService(described, { services: names });
  dropLeadingPeriods(reflection as unknown as ReflectionIndexes);
  reflection.addToServer(server);
}

export async function addHealth(server: Server, services: readonly DescService[]): Promise<void> {
  const { HealthImplementation } = await import("grpc-health-check");
  const names = ["", ...services.map((service) => service.typeName)];
  // As long as it answers, it serves: a drain ends the connections.
  const statuses = Object.fromEntries(names.map((name) => [name, "SERVING" as const]));
  new HealthImplementation(statuses).addToServer(server);
}

interface ReflectionIndexes {
  readonly v1: ReflectionIndex;
  readonly v1Alpha: ReflectionIndex;
}

interface ReflectionIndex {
  readonly services: Record<string, unknown>;
  readonly symbols: Record<string, unknown>;
}

/** @grpc/reflection 1.0.4 puts a period before the names of a file without a package, and no client asks for them so. */
function dropLeadingPeriods({ v1, v1Alpha }: ReflectionIndexes): void {
  for (const index of [v1, v1Alpha].flatMap(({ services, symbols }) => [services, symbols])) {
    for (const name of Object.keys(index).filter((name) => name.startsWith("."))) {
      index[name.slice(1)] = index[name];
      delete index[name];
    }
  }
}

function collect(file: DescFile, files: Map<string, Buffer>): void {
  if (files.has(file.name)) return;
  files.set(file.name, Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  for (const dependency of file.dependencies) collect(dependency, files);
}
