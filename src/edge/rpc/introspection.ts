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
  const names = services.map((service) => service.typeName);
  new ReflectionService(packageDefinition as unknown as Described, { services: names }).addToServer(
    server,
  );
}

export async function addHealth(server: Server, services: readonly DescService[]): Promise<void> {
  const { HealthImplementation } = await import("grpc-health-check");
  const names = ["", ...services.map((service) => service.typeName)];
  // As long as it answers, it serves: a drain ends the connections.
  const statuses = Object.fromEntries(names.map((name) => [name, "SERVING" as const]));
  new HealthImplementation(statuses).addToServer(server);
}

function collect(file: DescFile, files: Map<string, Buffer>): void {
  if (files.has(file.name)) return;
  files.set(file.name, Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  for (const dependency of file.dependencies) collect(dependency, files);
}
