"""Run migrations on the engine that `whistle.store.schema` passes in. There is no alembic.ini."""

from alembic import context

from whistle.store.models import metadata

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    if engine.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout TO 0")  # a large table takes what it takes
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
