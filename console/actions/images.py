"""What can be done to an image."""

from console.actions.declared import Ask, Order, action
from console.clouds.dialect import Accepted
from console.model.image import Image


@action(
    "image.delete",
    title="delete image",
    command="image delete",
    on=Image,
    key="D",
    needs="image.delete",
    confirm="Delete the image {name} for good?",
    type_name=True,
    reversible=False,
)
async def delete(order: Order) -> Accepted:
    """Delete the image for good; servers that were made from it go on."""
    return await order.dialect.delete_image(order.row.id)


@action(
    "image.set",
    title="set properties",
    command="image set",
    on=Image,
    needs="image.set",
    asks=(
        Ask(
            "property",
            "metadata",
            "property",
            "key=value; what the image has of that name is replaced",
            True,
            many=True,
        ),
    ),
)
async def set_properties(order: Order) -> Accepted:
    """Give the image properties of your own."""
    return await order.dialect.set_image(order.row.id, order.given["property"])
