//! What a connection leads to: one Redis, or the servers of a cluster.
//!
//! Each script of this store has one key, so in a cluster each of them runs on one server. A session
//! that moves to a new id is two keys, perhaps on two servers, and that is well: the new record is
//! stored before the old one goes, in two calls, over one Redis as well.

use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
#[cfg(feature = "redis-cluster")]
use redis::{cluster::ClusterClient, cluster_async::ClusterConnection};

pub(in crate::stores) enum Target {
    One(Client),
    #[cfg(feature = "redis-cluster")]
    Cluster(Box<ClusterClient>),
}

impl Target {
    pub async fn connect(&self) -> RedisResult<Redis> {
        // The limits are PATIENCE and FRESH, and not those of the crate.
        match self {
            Target::One(client) => {
                let settings = AsyncConnectionConfig::new()
                    .set_connection_timeout(None)
                    .set_response_timeout(None);
                let connecting = client.get_multiplexed_async_connection_with_config(&settings);
                Ok(Redis::One(connecting.await?))
            }
            #[cfg(feature = "redis-cluster")]
            Target::Cluster(client) => {
                let connection = client.get_async_connection().await?;
                Ok(Redis::Cluster(Box::new(connection)))
            }
        }
    }
}

#[derive(Clone)]
pub(in crate::stores) enum Redis {
    One(MultiplexedConnection),
    /// It finds the server of each key, and follows a key that has moved.
    #[cfg(feature = "redis-cluster")]
    Cluster(Box<ClusterConnection>),
}

impl ConnectionLike for Redis {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Redis::One(one) => one.req_packed_command(command),
            #[cfg(feature = "redis-cluster")]
            Redis::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Redis::One(one) => one.req_packed_commands(commands, offset, count),
            #[cfg(feature = "redis-cluster")]
            Redis::Cluster(cluster) => cluster.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Redis::One(one) => one.get_db(),
            #[cfg(feature = "redis-cluster")]
            Redis::Cluster(cluster) => cluster.get_db(),
        }
    }
}
