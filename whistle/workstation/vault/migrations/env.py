"""Run migrations on the engine that `whistle.workstation.vault.database` passes in. There is no alembic.ini."""

from alembic import context

from whistle.workstation.vault.models import Base

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=False)
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
