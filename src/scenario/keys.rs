//! The keys of a container, each written once.
//!
//! A line of the table says what a key means, its type, and which function of the decoder reads it. From the table
//! come the settings as they are written (`schema`), their reader (`decode`), and the plan of one mode (`resolve`). A
//! key that is `kept` may be absent from the plan as well; of one that is `filled`, the plan has the type's default.
//!
//! `image` and `role`, which exclude each other, and `command`, which only a `layered:` block has, stand outside.

/// Gives the table to another macro.
macro_rules! container_keys {
    ($give_to:ident) => {
        $give_to! {
            /// `entrypoint:`, which replaces the image's.
            entrypoint: kept Spanned<Argv> = argv,
            /// `args:`, which follow the entrypoint and replace the image's command.
            args: kept Spanned<Argv> = argv,
            /// `env:`; a mode's variables are added, and replace those of the same name.
            env: filled Vec<EnvVar> = env,
            /// `user:`, a name or number, with or without a group; absent for the image's.
            user: kept Spanned<String> = user,
            /// `workdir:`, an absolute path; absent for the image's.
            workdir: kept Spanned<String> = absolute_path,
            /// `network:`, a declared name.
            network: kept Spanned<String> = text_of,
            /// `aliases:`, more host names on the network; the container's own name always is one.
            aliases: filled Vec<Spanned<String>> = host_names,
            /// `volumes:`. As they are written, relative host paths start at the scenario file; in a plan they start
            /// where its path does.
            volumes: filled Vec<Spanned<Mount>> = mounts,
            /// `foreign_programs:`, where `volumes` are mounted from which programs may be started that are none of the image's.
            foreign_programs: filled Vec<Spanned<String>> = absolute_paths,
            /// `ports:` published on the host.
            ports: filled Vec<Spanned<Port>> = ports,
            /// `read_only:`, the root file system cannot be written.
            read_only: filled bool = flag,
            /// `cap_drop:`, without the `CAP_` prefix.
            cap_drop: filled Vec<Spanned<String>> = capabilities,
            /// `cap_add:`, without the `CAP_` prefix.
            cap_add: filled Vec<Spanned<String>> = capabilities,
            /// `no_new_privileges:`, no program in it can gain any.
            no_new_privileges: filled bool = flag,
            /// `tmpfs:`, absolute paths that are held in memory.
            tmpfs: filled Vec<Spanned<String>> = absolute_paths,
            /// `healthcheck:`; absent for the image's.
            healthcheck: kept Spanned<HealthCheck> = healthcheck,
            /// `ready:`, how to know that the container is ready.
            ready: kept Ready = ready,
            /// `after:`, what must have happened before the container starts.
            after: filled Vec<After> = after,
            /// `expect:`, what must be true of the container; a mode's expectations are added.
            expect: filled Expect = container_expect,
            /// `timeout:`, how long a job may take.
            timeout: kept Spanned<Duration> = duration,
            /// `observe:`, how long a service is watched at least.
            observe: kept Spanned<Duration> = duration,
        }
    };
}

pub(super) use container_keys;
