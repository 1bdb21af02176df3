"""Run migrations on the engine that `whistle.store.schema` passes in. There is no alembic.ini."""

from alembic import context

from whistle.store.models import metadata

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
